"""FITS, DICOM and NIfTI: values, missing cells and coordinates, as astropy, pydicom and nibabel read them."""

import gzip
import io
import sys
import warnings
from functools import partial

import nibabel
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from command import done
from command import imgconv as command
from image_files import read
from imagecodecs import htj2k_encode, jpeg2k_encode, jpeg8_encode
from PIL import ImageFile
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.errors import BytesLengthException
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    SecondaryCaptureImageStorage,
)
from tifffile import TiffFile, imread

import imgconv
from imgconv.errors import ImageError, MissingExtra
from imgconv.images import open_frames
from imgconv.images.damage import image_errors

pytestmark = pytest.mark.sweep(2)

RNG = np.random.default_rng(31)
SAME = "0 0 0; 0 1 0; 0 0 0"
SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 20.5, "CRPIX2": 15.0, "BUNIT": "adu"}
MATRICES = {
    "CDELT": {"CDELT1": -0.001, "CDELT2": 0.001},
    "CD": {"CD1_1": -0.001, "CD1_2": 0.0002, "CD2_1": 0.0003, "CD2_2": 0.001},
    "PC": {"CDELT1": -0.001, "CDELT2": 0.001, "PC1_2": 0.2, "PC2_1": -0.1},
    "SIP": {
        **{"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CD1_1": -0.001, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.001},
        **{"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "A_1_1": 2e-4, "B_0_2": 3e-4, "B_1_1": 1e-4},
    },
    "defaults": {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CRPIX1": None, "CRPIX2": None},  # of CDELT too
}


def header(**cards):
    result = fits.Header()
    result.update({name: value for name, value in {**SKY, **cards}.items() if value is not None})
    return result


@pytest.mark.parametrize("options", [["--stride", "2x3", "--padding", "valid"], ["--padding", "full"], ["--stride", "3"]])
@pytest.mark.parametrize("name", MATRICES)
def test_a_star_stays_at_its_place_in_the_sky(tmp_path, name, options):
    sky = header(**MATRICES[name])
    pixels = np.zeros((31, 41), np.float32)
    pixels[1:-1, 1:-1] = RNG.permutation(29 * 39).reshape(29, 39)  # the star is not repeated in the padding
    fits.PrimaryHDU(pixels, sky).writeto(tmp_path / "a.fits")
    done("filter", tmp_path / "a.fits", "-k", SAME, *options, "-o", tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as result:
        row, column = np.unravel_index(np.argmax(result[0].data), result[0].shape)
        place = WCS(result[0].header).all_pix2world([[column, row]], 0)
        assert result[0].header["BUNIT"] == "adu" and "imgconv" in str(result[0].header["HISTORY"])
        star = np.argwhere(pixels == result[0].data.max())[0]
    expected = WCS(sky).all_pix2world([star[::-1]], 0)
    assert np.abs(place - expected).max() < 1e-5  # a hundredth of a pixel


def test_coordinates_of_the_detector_stay(tmp_path):
    row, column = np.mgrid[:31, :41].astype(np.float32)
    fits.PrimaryHDU(np.stack([column, row]), header(CDELT1=-0.001, CDELT2=0.001, LTV1=-100.0, LTV2=5.0)).writeto(tmp_path / "a.fits")
    done("filter", tmp_path / "a.fits", "-k", SAME, "--stride", "2x3", "--padding", "valid", "-o", tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as result:
        cards, (column, row) = result[0].header, result[0].data[:, 4, 7]
    assert ((8 - cards["LTV1"]) / cards["LTM1_1"], (5 - cards["LTV2"]) / cards["LTM2_2"]) == pytest.approx((column + 101, row - 4))


@pytest.mark.parametrize("bits", ["uint8", ">i2", ">u2", ">i4", ">u4", ">i8", ">u8", ">f4", ">f8"])
def test_blank_and_nan_are_missing_in_every_depth(tmp_path, bits):
    values = RNG.integers(1, 200, (20, 24)).astype(bits)
    unit = fits.PrimaryHDU(values)
    hole = np.zeros((20, 24), bool)
    hole[5:8, 6:12] = True
    if values.dtype.kind == "f":
        unit.data[hole] = np.nan
    else:
        unit.data[hole] = 255
        unit.header["BLANK"] = 255 - int(unit.header.get("BZERO", 0))
    unit.writeto(tmp_path / "a.fits")
    done("filter", tmp_path / "a.fits", "-k", "gaussian:sigma=1")
    with fits.open(tmp_path / "a.gaussian-sigma-1.fits") as result:
        cells = result[0].data
    expected = np.ma.getdata(imgconv.filter(np.ma.masked_array(values.astype(np.float64), hole), "gaussian:sigma=1"))
    missing = np.isnan(cells) if cells.dtype.kind == "f" else cells == 255
    assert np.array_equal(missing, hole)
    assert np.abs(cells[~hole] - expected[~hole]).max() <= (0.51 if bits in ("uint8", ">u2") else 1e-3)


def test_scaled_numbers_are_physical_values(tmp_path):
    unit = fits.PrimaryHDU(RNG.integers(-300, 300, (9, 8)).astype(np.int16))
    unit.header["BSCALE"], unit.header["BZERO"] = 0.5, 100.0
    unit.writeto(tmp_path / "a.fits")
    with open_frames(tmp_path / "a.fits") as frames:
        (image,) = frames
    with fits.open(tmp_path / "a.fits") as expected:
        assert np.allclose(image.pixels[..., 0], expected[0].data)


def test_every_image_extension_and_plane_is_filtered_and_cards_stay(tmp_path):
    cube, plane = RNG.random((3, 12, 14)).astype(np.float32), RNG.random((10, 11))
    units = [fits.PrimaryHDU(header=fits.Header({"OBSERVER": "Ann"})), fits.ImageHDU(cube, name="SCI"), fits.ImageHDU(plane, name="ERR")]
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(3))])
    fits.HDUList([*units, table]).writeto(tmp_path / "a.fits")
    finished = done("filter", tmp_path / "a.fits", "-k", "box:size=3", "--json", "-o", tmp_path / "out.fits")
    assert b"FITS tables" in finished.out
    with fits.open(tmp_path / "out.fits") as result:
        assert [unit.name for unit in result] == ["PRIMARY", "SCI", "ERR"] and result[0].header["OBSERVER"] == "Ann"
        assert result["SCI"].shape == (3, 12, 14) and result["ERR"].data.dtype == ">f8"
        expected = imgconv.filter(cube[1], "box:size=3")
        assert np.allclose(result["SCI"].data[1], expected)


def test_a_compressed_extension_is_read_where_it_is_smaller_than_its_pixels(tmp_path):
    plane = np.arange(6400, dtype=np.int16).reshape(80, 80)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(plane)]).writeto(tmp_path / "a.fits")
    with open_frames(tmp_path / "a.fits") as frames:
        (frame,) = frames
    np.testing.assert_array_equal(frame.pixels[..., 0], plane)


def test_an_image_of_another_format_becomes_fits_with_nan(tmp_path):
    array = np.full((9, 9), 5, np.float32)
    array[4, 4] = -1
    np.save(tmp_path / "a.npy", array)
    done("filter", tmp_path / "a.npy", "-k", "box:size=3", "--nodata", "-1", "--format", "fits", "-o", tmp_path / "out/")
    with fits.open(tmp_path / "out" / "a.box-size-3.fits") as result:
        assert np.isnan(result[0].data).sum() == 1 and np.nanmax(result[0].data) == 5


@pytest.mark.parametrize("cut", [100, 2880, 3000])
def test_a_fits_file_that_is_cut_short_is_an_error(tmp_path, cut):
    fits.PrimaryHDU(RNG.random((40, 40))).writeto(tmp_path / "a.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:cut])
    finished = command("edge", tmp_path / "cut.fits")
    assert finished.code == 1 and finished.err.count("\n") == 1


def test_a_fits_file_cut_in_the_header_of_an_extension_is_an_error(tmp_path):
    fits.HDUList([fits.PrimaryHDU(RNG.random((40, 40))), fits.ImageHDU(RNG.random((40, 40)))]).writeto(tmp_path / "a.fits")
    whole = (tmp_path / "a.fits").read_bytes()
    for extra in (3, 100, 2000):
        with pytest.raises(ImageError, match="damaged fits"):
            read(whole[: whole.index(b"XTENSION") + extra])


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "PLIO_1", "HCOMPRESS_1"])
def test_compressed_fits_images_are_read_and_missed(tmp_path, kind):
    pixels = RNG.integers(0, 200, (64, 48)).astype(np.int16)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type=kind)]).writeto(tmp_path / "a.fits")
    whole = (tmp_path / "a.fits").read_bytes()
    assert np.array_equal(read(whole)[1][0].pixels[..., 0], pixels)
    with pytest.raises(ImageError, match="damaged fits"):
        read(whole[: len(whole.rstrip(b"\0")) - 9])


def test_a_fits_file_that_breaks_the_standard_is_not_supported(tmp_path):
    fits.PrimaryHDU(RNG.random((4, 5))).writeto(tmp_path / "a.fits")
    other = (tmp_path / "a.fits").read_bytes().replace(b"T / conforms", b"F / conforms", 1)
    with pytest.raises(ImageError, match="not supported"):
        read(other)


@pytest.mark.parametrize("name", ["a.fits.gz", "A.FIT.GZ", "a.nii.gz"])
def test_compressed_files_are_read_and_found_in_folders(tmp_path, name):
    stored = RNG.integers(0, 60000, (5, 7)).astype(np.uint16)
    file = io.BytesIO()
    if ".nii" in name:
        file.write(nibabel.Nifti1Image(stored.T, np.eye(4)).to_bytes())
    else:
        fits.PrimaryHDU(stored).writeto(file)
    (tmp_path / name).write_bytes(gzip.compress(file.getvalue()))
    (tmp_path / "notes.gz").write_bytes(gzip.compress(b"text"))
    done("filter", tmp_path, "-k", SAME, "-o", tmp_path / "out", "--format", "tiff")
    (result,) = (tmp_path / "out").iterdir()
    assert np.array_equal(imread(result), stored)
    with pytest.raises(ImageError, match="damaged"):
        read((tmp_path / name).read_bytes()[:-40])


def test_errors_that_libraries_derive_from_exception_alone_are_damage(tmp_path):
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(RNG.integers(0, 99, (20, 30), np.int16))]).writeto(file)
    data = file.getvalue()
    zeros = data[: 2 * 2880 + 300] + bytes(2580)  # after two headers and the beginning of the table
    cards = data.replace(b"ZNAXIS1 =                   30", b"ZNAXIS1 =                  'x'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for damaged in (zeros, cards):
            with pytest.raises(ImageError, match="damaged fits"):
                read(damaged)
    with pytest.raises(ImageError, match="damaged dicom: odd"), image_errors("damaged dicom"):
        raise BytesLengthException("odd")


def dicom(path, pixels, syntax=ExplicitVRLittleEndian, **attributes):
    """A DICOM file of frames (N, H, W) uint16."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID = syntax, "1.2.3"
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data = FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    data.PatientName, data.Rows, data.Columns, data.NumberOfFrames = "Ann", *pixels.shape[1:], len(pixels)
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelData = 15, pixels.tobytes()
    for name, value in attributes.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_dicom_becomes_tiff_with_spacing_and_names_what_it_drops(tmp_path):
    stored = RNG.integers(900, 1200, (2, 20, 24)).astype(np.uint16)
    stored[:, 3:5, 4:9], stored[:, 11, 3] = 0, 7
    padding = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 9}
    file = dicom(tmp_path / "a.dcm", stored, RescaleSlope=2, RescaleIntercept=-1024, PixelSpacing=[0.5, 0.25], **padding)
    finished = done("filter", file, "-k", "box:size=3", "--stride", "2")
    assert "without DICOM attributes" in finished.err
    with TiffFile(tmp_path / "a.box-size-3.tiff") as result:
        assert len(result.pages) == 2
        across, unit = result.pages[0].tags["XResolution"].value
        assert across / unit == pytest.approx(25.4 / 0.5, 1e-4)
        pages = result.asarray()
    values = np.ma.masked_less(stored, 10).astype(np.float32) * 2 - 1024
    expected = imgconv.filter(values[1], "box:size=3", stride=2)
    assert np.allclose(pages[1][~expected.mask], expected.compressed()) and (pages[1][expected.mask] == -1024).all()


def test_dicom_with_a_palette_has_its_colours(tmp_path):
    indices = RNG.integers(0, 4, (1, 6, 8)).astype(np.uint16)
    colours = RNG.integers(0, 1 << 16, (3, 4)).astype(np.uint16)
    palette = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in zip(("Red", "Green", "Blue"), colours, strict=True):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        palette[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
    file = dicom(tmp_path / "a.dcm", indices, **palette)
    done("filter", file, "-k", SAME, "-o", tmp_path / "out.tiff")
    assert np.array_equal(imread(tmp_path / "out.tiff"), colours.T[indices[0]])


def group(**attributes):
    """A functional group of an enhanced DICOM."""
    values, places, result = Dataset(), Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = *attributes["rescaling"], "HU"
    places.PixelSpacing = attributes["spacing"]
    result.PixelValueTransformationSequence, result.PixelMeasuresSequence = [values], [places]
    return result


@pytest.mark.parametrize("of_frames", [(), ((3, 5), (2, -9))])
def test_an_enhanced_dicom_has_values_and_spacing_of_its_groups(tmp_path, of_frames):
    stored = RNG.integers(0, 1 << 12, (2, 6, 8)).astype(np.uint16)
    groups = {"SharedFunctionalGroupsSequence": [group(rescaling=(2, -1024), spacing=[0.5, 0.25])]}
    if of_frames:
        groups["PerFrameFunctionalGroupsSequence"] = [group(rescaling=each, spacing=[1, 1]) for each in of_frames]
    _, frames = read(dicom(tmp_path / "a.dcm", stored, **groups).read_bytes())
    for frame, plane, (slope, intercept) in zip(frames, stored, of_frames or ((2, -1024),) * 2, strict=True):
        assert np.array_equal(frame.pixels[..., 0], plane * np.float32(slope) + intercept)
        assert frame.metadata.dpi == ((25.4, 25.4) if of_frames else (25.4 / 0.25, 25.4 / 0.5))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_table_of_the_values_of_a_modality_is_applied(tmp_path, bits):
    stored, table = RNG.integers(0, 256, (1, 6, 8)).astype(np.uint16), Dataset()
    values = RNG.integers(0, 1 << bits, 256).astype(np.uint16)
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [256, 0, bits], "US", values.tobytes()
    table["LUTData"].VR = "OW"
    data = dicom(tmp_path / "a.dcm", stored, ModalityLUTSequence=[table], PixelAspectRatio=[2, 1]).read_bytes()
    (frame,) = read(data)[1]
    assert np.array_equal(frame.pixels[..., 0], values[stored[0]]) and frame.pixels.itemsize == bits // 8
    assert frame.metadata.aspect == (2, 1)
    padded = dicom(tmp_path / "b.dcm", stored, ModalityLUTSequence=[table], PixelPaddingValue=0)
    with pytest.raises(ImageError, match="with a table of values and padding are not supported"):
        read(padded.read_bytes())


@pytest.mark.parametrize("start", [b"II*\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_dicom_is_recognised_after_the_first_bytes_of_another_format(tmp_path, start, syntax):
    stored = RNG.integers(0, 60000, (1, 5, 7)).astype(np.uint16)
    file = dicom(tmp_path / "a.dcm", stored, syntax)
    file.write_bytes(start.ljust(128, b"\0") + file.read_bytes()[128:])
    done("filter", file, "-k", SAME, "-o", tmp_path / "out.tiff")
    assert np.array_equal(imread(tmp_path / "out.tiff"), stored[0])


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("bits", [12, 16])
def test_dicom_with_jpeg_without_loss(tmp_path, bits, signed):
    stored = RNG.integers(0, 1 << bits, (2, 20, 24)).astype(np.uint16)
    parts = [jpeg8_encode(frame, lossless=True, bitspersample=bits) for frame in stored]
    depth = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": signed}
    file = dicom(tmp_path / "a.dcm", stored, JPEGLosslessSV1, PixelData=encapsulate(parts), **depth)
    _, frames = read(file.read_bytes())
    values = np.where(signed and stored >> bits - 1, stored - float(1 << bits), stored)
    assert [np.array_equal(frame.pixels[..., 0], each) for frame, each in zip(frames, values, strict=True)] == [True, True]
    file = dicom(tmp_path / "a.dcm", stored, JPEGLosslessSV1, PixelData=encapsulate([parts[0], parts[1][:400]]), **depth)
    with pytest.raises(ImageError, match="damaged dicom: unexpected end"):
        read(file.read_bytes())


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("colours", [1, 3])
def test_dicom_with_high_throughput_jpeg_2000(tmp_path, colours, signed):
    stored = RNG.integers(0, 2048, (2, 20, 24, colours)).astype(np.uint16)
    values = stored - 1000.0 if signed else stored
    parts = [htj2k_encode(frame.astype(np.int16 if signed else np.uint16).squeeze()) for frame in values]
    depth = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": signed, "SamplesPerPixel": colours}
    depth |= {"PhotometricInterpretation": "YBR_RCT", "PlanarConfiguration": 0} if colours == 3 else {}
    file = dicom(tmp_path / "a.dcm", stored[..., 0], HTJ2KLossless, PixelData=encapsulate(parts), **depth)
    for frame, each in zip(read(file.read_bytes())[1], values, strict=True):
        np.testing.assert_array_equal(frame.pixels, each)
    file = dicom(tmp_path / "a.dcm", stored[..., 0], HTJ2KLossless, PixelData=encapsulate([parts[0], parts[1][:-90]]), **depth)
    with pytest.raises(ImageError, match="damaged dicom: unexpected end"):
        read(file.read_bytes())


@pytest.mark.parametrize(
    ("syntax", "name"), [(JPEGLSLossless, "JPEG-LS Lossless"), (MPEG2MPML, "MPEG2"), (HTJ2KLossless, "HTJ2K of YCbCr")]
)
def test_dicom_that_is_compressed_in_another_way_is_refused_in_one_line(tmp_path, syntax, name):
    file = dicom(
        tmp_path / "a.dcm", np.zeros((1, 20, 24), np.uint16), syntax, PhotometricInterpretation="YBR_FULL", PixelData=encapsulate([b"1234"])
    )
    with pytest.raises(ImageError, match=f"DICOM images compressed as {name}.* are not supported; decompress the file first") as error:
        read(file.read_bytes())
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
def test_dicom_with_half_a_jpeg_is_an_error(tmp_path, syntax, monkeypatch):
    """Whatever the host program tells Pillow, which pydicom decodes with."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    stored = RNG.integers(0, 256, (2, 40, 64)).astype(np.uint8)
    encode = jpeg8_encode if syntax == JPEGBaseline8Bit else partial(jpeg2k_encode, codecformat="j2k", reversible=True)
    parts = [encode(each) for each in stored]
    depth = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    file = dicom(tmp_path / "a.dcm", stored, syntax, PixelData=encapsulate(parts), **depth)
    whole = file.read_bytes()
    assert read(whole)[0].frames == 2
    for cut in (200, 20):  # in an item, of which pydicom reports the end in some places only
        with pytest.raises(ImageError, match=r"damaged dicom: (unexpected )?end"):
            read(whole[:-cut])
    half = parts[1][: len(parts[1]) // 2] + b"\xff\xd9"
    file = dicom(tmp_path / "a.dcm", stored, syntax, PixelData=encapsulate([parts[0], half]), **depth)
    with pytest.raises(ImageError, match="damaged dicom: unexpected end"):
        read(file.read_bytes())


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"PhotometricInterpretation": "YBR_PARTIAL_420"}, "YBR_PARTIAL_420 are not supported"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "12 bits allocated for a value are not supported"),
        ({"BitsStored": 12}, "12 bits whose highest one is bit 15 are not supported"),
        ({"PixelData": encapsulate([bytes(jpeg2k_encode(np.zeros((64, 90), np.uint8)))])}, "90x64 pixels in a place of 24x20"),
    ],
)
def test_dicom_that_pydicom_takes_for_another_is_refused(tmp_path, attributes, message):
    syntax = JPEG2000Lossless if "PixelData" in attributes else ExplicitVRLittleEndian
    file = dicom(tmp_path / "a.dcm", np.zeros((1, 20, 24), np.uint16), syntax, **attributes)
    with pytest.raises(ImageError, match=message):
        read(file.read_bytes())


def test_dicom_whose_large_values_are_dark_says_so(tmp_path):
    file = dicom(tmp_path / "a.dcm", np.zeros((1, 20, 24), np.uint16), PhotometricInterpretation="MONOCHROME1")
    assert "MONOCHROME1, in which large values are dark" in read(file.read_bytes())[1][0].metadata.dropped


def test_dicom_of_floats_and_without_pixels(tmp_path):
    stored = RNG.random((1, 5, 7), np.float32)
    file = dicom(tmp_path / "a.dcm", stored, BitsAllocated=32)
    data = dcmread(file)
    del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
    data.FloatPixelData = stored.tobytes()
    data.save_as(file)
    assert np.array_equal(read(file.read_bytes())[1][0].pixels[..., 0], stored[0])
    del data.FloatPixelData
    data.save_as(file)
    with pytest.raises(ImageError, match="without pixels"):
        read(file.read_bytes())


@pytest.mark.parametrize("place, value", [(344, b"ni1\0"), (344, bytes(4)), (70, b"\x77\x77"), (40, b"\0\0")])
def test_odd_nifti_headers_are_refused_in_silence(place, value, capfd):
    volume = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.uint8), np.eye(4)).to_bytes()
    with pytest.raises(ImageError, match=r"nifti|NIfTI"):
        read(volume[:place] + value + volume[place + len(value) :])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_slices_of_nifti_become_pages_with_spacing(tmp_path, suffix, dtype):
    volume = RNG.integers(0, 200, (14, 11, 3)).astype(dtype)
    image = nibabel.Nifti1Image(volume, np.diag([0.5, 2, 3, 1]))
    image.header.set_xyzt_units("mm" if suffix == ".nii" else "unknown")  # as nibabel leaves it
    nibabel.save(image, tmp_path / f"a{suffix}")
    finished = done("filter", tmp_path / f"a{suffix}", "-k", SAME, "-o", tmp_path / "out.tiff")
    assert "without NIfTI header" in finished.err
    assert np.array_equal(imread(tmp_path / "out.tiff"), volume.transpose(2, 1, 0))
    with TiffFile(tmp_path / "out.tiff") as result:
        tags = result.pages[0].tags
        assert [tags[name].value[0] / tags[name].value[1] for name in ("XResolution", "YResolution")] == pytest.approx([50.8, 12.7])
    assert "resolution (no place in npy)" in done("filter", tmp_path / f"a{suffix}", "-k", SAME, "-o", tmp_path / "out.npy").err


@pytest.mark.parametrize(
    "library, extra, data",
    [
        ("astropy.io.fits", "fits", b"SIMPLE  =                    T"),
        ("pydicom", "dicom", bytes(128) + b"DICM"),
        ("nibabel", "nifti", b"\x5c\1\0\0" + bytes(400)),
    ],
)
def test_without_the_extra_the_error_names_it(library, extra, data, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"imgconv\[{extra}\]"):
        open_frames(data)
