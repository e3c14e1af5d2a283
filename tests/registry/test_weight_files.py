"""Weights from .npy, .npz and .safetensors files, whole, damaged and hostile."""

import io
import json
import pickle
import re
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from imgconv.errors import ArgumentTypeError, MissingExtra, UsageError
from imgconv.registry import Bank, Kernel, Registry, resolve
from imgconv.registry.weights import read_layer

REGISTRY = Registry.load()


def saved(path: Path, array: object) -> Path:
    np.save(path, np.asarray(array))
    return path


def bank(reference: str) -> Bank:
    result = resolve(reference, REGISTRY)
    assert isinstance(result, Bank)
    return result


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint16", "bool", ">f8"])
def test_a_2d_file_is_a_kernel(tmp_path: Path, dtype: str) -> None:
    array = np.asfortranarray(np.array([[0, 1, 0], [1, 1, 0]], dtype=dtype))
    result = resolve(f"@{saved(tmp_path / 'w.npy', array)}", REGISTRY)
    assert isinstance(result, Kernel) and result.name == "w" and result.range == "clip"
    assert result.taps.tolist() == array.tolist() and result.taps.dtype == np.float64


def test_a_stack_is_a_bank_of_its_kernels(tmp_path: Path) -> None:
    result = bank(f"@{saved(tmp_path / 'stack.npy', [[[1, -1]], [[1, 1]]])}")
    assert result.combine == "none" and [(k.name, k.range, k.taps.tolist()) for k in result.kernels] == [
        ("stack_1", "abs", [[1, -1]]),
        ("stack_2", "clip", [[1, 1]]),
    ]


def test_oihw_weights_sum_over_channels(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    result = bank(f"@{saved(tmp_path / 'conv.npy', weights)}")
    assert [kernel.taps.shape for kernel in result.kernels] == [(3, 5, 4)] * 2
    np.testing.assert_array_equal(np.stack([kernel.taps for kernel in result.kernels]), weights)


def test_an_npz_is_one_bank_and_its_arrays_can_be_named(tmp_path: Path) -> None:
    weights = np.arange(8.0).reshape(2, 1, 2, 2)
    path = tmp_path / "net.npz"
    np.savez_compressed(path, **{"blur": np.ones((2, 2)), "conv1.weight": weights, "conv1.bias": np.array([0.5, -1])})
    only = bank(f"@{path}:conv1")
    assert [kernel.bias for kernel in only.kernels] == [0.5, -1] and only.name == "net-conv1"
    assert resolve(f"@{path}:blur", REGISTRY).name == "net-blur"
    with pytest.raises(UsageError, match=r"has no array .conv2.; it has blur, conv1\.weight, conv1\.bias"):
        resolve(f"@{path}:conv2", REGISTRY)
    for name, arrays in {"plain": {"conv1": weights, "conv1.bias": [0.5, -1]}, "layer": {"weight": weights, "bias": [0.5, -1]}}.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        reference = f"@{tmp_path / name}.npz" + (":conv1" if name == "plain" else "")
        assert [kernel.bias for kernel in bank(reference).kernels] == read_layer(reference)[1].tolist() == [0.5, -1]
    np.savez(tmp_path / "two.npz", a=np.ones((1, 2)), b=np.ones((2, 1, 3)))
    assert [kernel.name for kernel in bank(f"@{tmp_path / 'two.npz'}").kernels] == ["a", "b_1", "b_2"]
    np.savez(tmp_path / "one.npz", np.ones((3, 3)))
    assert isinstance(resolve(f"@{tmp_path / 'one.npz'}", REGISTRY), Kernel)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.ones(3), "has 1 axes; give (kh, kw), (N, kh, kw) or (O, I, kh, kw)"),
        (np.ones((1,) * 5), "has 5 axes"),
        (np.ones((0, 3)), "is empty"),
        (np.ones((0, 3, 3, 3)), "is empty"),
        (np.array([[1, np.nan]]), "holds NaN or infinity"),
        (np.array([[np.inf, 1]]), "holds NaN or infinity"),
        (np.broadcast_to(np.int8(1), (1025, 1024)), "1025x1024 taps; at most 1048576"),
    ],
)
def test_files_whose_numbers_are_no_kernel(tmp_path: Path, array: object, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        resolve(f"@{saved(tmp_path / 'w.npy', array)}", REGISTRY)


@pytest.mark.parametrize("array", [np.ones((2, 2), complex), np.array([["a"]]), np.zeros((2, 2), "f4,i2")])
def test_files_without_real_numbers(tmp_path: Path, array: object) -> None:
    with pytest.raises(ArgumentTypeError, match="give real numbers"):
        resolve(f"@{saved(tmp_path / 'w.npy', array)}", REGISTRY)


def npy_bytes(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        npy_bytes(np.ones((3, 3)))[:-5],
        npy_bytes(np.ones((3, 3)))[:40],
        b"\x93NUMPY\x09\x00" + bytes(50),
        npy_bytes(np.ones((3, 3))).replace(b"(3, 3)", b"(3,-3)"),
        npy_bytes(np.ones((3, 3))).replace(b"'shape'", b"'shaqe'"),
        npy_bytes(np.ones((3, 3))).replace(b"<f8", b"<q9"),
    ],
)
def test_damaged_npy_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.npy").write_bytes(content)
    with pytest.raises(UsageError, match=r"w\.npy: damaged, or not a file of weights") as caught:
        resolve(f"@{tmp_path / 'w.npy'}", REGISTRY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [0, 30, 100, 200])
def test_damaged_npz_files(tmp_path: Path, cut: int) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.random.default_rng(0).normal(size=(9, 9)))
    (tmp_path / "w.npz").write_bytes(stream.getvalue()[:cut])
    with pytest.raises(UsageError, match="damaged, or not a file of weights"):
        resolve(f"@{tmp_path / 'w.npz'}", REGISTRY)


def test_an_npz_with_a_flipped_bit_is_damaged(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.ones((9, 9)))
    content = bytearray(stream.getvalue())
    content[400] ^= 4
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(UsageError, match=r"damaged, or not a file of weights .*CRC"):
        resolve(f"@{tmp_path / 'w.npz'}", REGISTRY)


def test_an_npz_without_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    with pytest.raises(UsageError, match="holds no arrays"):
        resolve(f"@{tmp_path / 'w.npz'}", REGISTRY)


def test_a_header_that_claims_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000), }"
    header += b" " * (117 - len(header)) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "w.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", content)
    for name in ("w.npy", "w.npz"):
        with pytest.raises(UsageError, match="claims 100000x100000 numbers"):
            resolve(f"@{tmp_path / name}", REGISTRY)


class Harmful:
    """Unpickling it would leave a file behind."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"__import__('pathlib').Path({str(self.witness)!r}).touch()",)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    np.save(tmp_path / "w.npy", np.array([[Harmful(witness)]], dtype=object), allow_pickle=True)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Harmful(witness)))
    for name, text in (("w.npy", "holds Python objects"), ("plain.npy", "damaged")):
        with pytest.raises(UsageError, match=text):
            resolve(f"@{tmp_path / name}", REGISTRY)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("@missing.npy", "missing.npy: cannot read these weights (no such file or directory)"),
        ("@~nobody-of-that-name/w.npy", "cannot read these weights"),
        ("@", "unknown kind of weights file; use one of .npy, .npz, .safetensors"),
        ("@photo.jpg", "unknown kind of weights file"),
        ("@model.safetensors", "cannot read these weights"),
        ("@a\0b.npy", "cannot read these weights"),
        ("@\ud800.npy", "cannot read these weights"),
    ],
)
def test_files_that_cannot_be_read(reference: str, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        resolve(reference, REGISTRY)


def test_a_folder_is_not_a_weights_file(tmp_path: Path) -> None:
    (tmp_path / "w.npy").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        resolve(f"@{tmp_path / 'w.npy'}", REGISTRY)


def test_a_single_array_has_no_members(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds one array; leave out :conv"):
        resolve(f"@{saved(tmp_path / 'w.npy', [[1]])}:conv", REGISTRY)


def safetensors(path: Path, tensors: dict[str, np.ndarray], kinds: dict[str, str] | None = None) -> Path:
    """A .safetensors file written by hand, from the description of the format."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        start, data = len(data), data + tensor.tobytes()
        header[name] = {"dtype": (kinds or {}).get(name, "F32"), "shape": list(tensor.shape), "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_safetensors(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    path = safetensors(tmp_path / "net.safetensors", {"conv1.weight": weights, "conv1.bias": np.arange(4, dtype=np.float32)})
    for member in ("conv1", "conv1.weight"):
        result = bank(f"@{path}:{member}")
        np.testing.assert_array_equal(np.stack([kernel.taps for kernel in result.kernels]), weights)
        assert [kernel.bias for kernel in result.kernels] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match=r"name one of its tensors, as in @net\.safetensors:conv1"):
        resolve(f"@{path}", REGISTRY)
    with pytest.raises(UsageError, match="has no array 'conv9'"):
        resolve(f"@{path}:conv9", REGISTRY)


def test_safetensors_of_a_type_that_numpy_lacks(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "net.safetensors", {"w": np.ones((3, 3), np.float16)}, {"w": "BF16"})
    with pytest.raises(UsageError, match="type BF16, which numpy lacks; save it as float32"):
        resolve(f"@{path}:w", REGISTRY)


@pytest.mark.parametrize("cut", [0, 7, 40, -1])
def test_damaged_safetensors(tmp_path: Path, cut: int) -> None:
    path = safetensors(tmp_path / "net.safetensors", {"w": np.ones((3, 3), np.float32)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UsageError, match="damaged, or not a file of weights"):
        resolve(f"@{path}:w", REGISTRY)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = safetensors(tmp_path / "net.safetensors", {"w": np.ones((3, 3), np.float32)})
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtra, match=r"pip install 'imgconv\[safetensors\]'"):
        resolve(f"@{path}:w", REGISTRY)


def npy_header(length: int) -> bytes:
    return b"\x93NUMPY\2\0" + length.to_bytes(4, "little")


def test_a_header_that_claims_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    sparse = tmp_path / "w.npy"
    with sparse.open("wb") as file:
        file.write(npy_header(0xFFFFFFF0))
        file.truncate(1 << 33)
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        member.write(npy_header(1 << 30))
        for _ in range(64):
            member.write(bytes(1 << 20))
    for reference in ("w.npy", "w.npz:a"):
        with pytest.raises(UsageError, match=r"its header claims \d+ bytes"):
            resolve(f"@{tmp_path}/{reference}", REGISTRY)


def test_thousands_of_arrays_are_read_from_an_archive_that_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "w.npz", **{f"k{n}": np.ones((1, 2)) for n in range(4000)})
    opened = []
    original = zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda self, *words, **more: (opened.append(1), original(self, *words, **more))[1])
    assert len(bank(f"@{tmp_path}/w.npz").kernels) == 4000 and len(opened) == 1


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        for n in range(20_001):
            archive.writestr(f"{n}.npy", b"")
    directory = tmp_path / "d.npz"
    with directory.open("wb") as file:  # the end of an archive whose directory has 3 GB
        file.write(b"PK\3\4")
        file.truncate(3 << 30)
        file.seek(3 << 30)
        file.write(b"PK\5\6" + bytes(4) + struct.pack("<HHIIH", 9, 9, (3 << 30) - 4, 4, 0))
    for name in ("w", "d"):
        with pytest.raises(UsageError, match="has more than 20000 members"):
            resolve(f"@{tmp_path}/{name}.npz", REGISTRY)
