"""Kernel references as typed, and their slugs."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgconv.errors import ArgumentTypeError, ImgconvError, UsageError
from imgconv.registry import Bank, Kernel, Registry, kernel_from_array, resolve, slug
from imgconv.registry.names import split_parameters, with_parameters

REGISTRY = Registry.load()


def kernel(reference: str) -> Kernel:
    result = resolve(reference, REGISTRY)
    assert isinstance(result, Kernel)
    return result


def full_width(text: str) -> str:
    """Characters as East Asian keyboards type them."""
    return "".join("\N{IDEOGRAPHIC SPACE}" if c == " " else chr(ord(c) + 0xFEE0) for c in text)


@pytest.mark.parametrize(
    ("reference", "taps", "divisor"),
    [
        ("0 -1 0; -1 4 -1; 0 -1 0", [[0, -1, 0], [-1, 4, -1], [0, -1, 0]], 1),
        ("1,2,1;2,4,2;1,2,1/16", [[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),
        ("1, 2 ,1 / 4", [[1, 2, 1]], 4),
        ("  -1 0 +1  ", [[-1, 0, 1]], 1),
        ("1\n;\t2", [[1], [2]], 1),
        (".5 1. 1e-3 -2.5E+1", [[0.5, 1, 0.001, -25]], 1),
        ("\N{MINUS SIGN}1 2 / -2", [[-1, 2]], -2),
        ("5", [[5]], 1),
        ("1 1 / 0.5", [[1, 1]], 0.5),
        ("1 2 1/4", [[1, 2, 1]], 4),
    ],
)
def test_typed_matrices(reference: str, taps: list[list[float]], divisor: float) -> None:
    result = kernel(reference)
    assert result.taps.tolist() == taps and result.divisor == divisor and result.name == "matrix"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("1 2; 3", "row 1 has 2 entries, row 2 has 1"),
        ("0 1 0;;", "an entry is empty"),
        ("1,,2", "an entry is empty"),
        (";", "an entry is empty"),
        ("1 2 /", "an entry is empty"),
        ("1 2 / 0", "divided by 0"),
        ("1 2 / 2 / 2", "'/' is not a finite number"),
        ("1/0 2", "'1/0' is divided by 0"),
        ("1 - 1", "'-' is not a finite number"),
        ("3\N{SUPERSCRIPT TWO} 1", "is not a finite number"),
        ("1 nan", "'nan' is not a finite number"),
        ("inf 1; 1 1", "'inf' is not a finite number"),
        ("1e999 1", "too large"),
        ("1 2_000", "'2_000' is not a finite number"),
        ("1 x", "'x' is not a finite number"),
        ("[[1, 2]", "brackets do not match"),
        ("[[[1, 2]], [[3, 4]]]", "surround more than one matrix"),
        ("[[1] * 3] * 3", "brackets do not match"),
        ("0 * [1 2]", "is multiplied by 0"),
        ("3x2: 1,2,3", "has 3 numbers; 3x2 has 6"),
        ("1 * 2", "'*' is not a finite number"),
        ("[[1, 2], [3]]", "row 1 has 2 entries, row 2 has 1"),
        ("[]", "an entry is empty"),
        ("0,5 0,5", "decimal commas"),
        ("0,25 0,5; 0,125 0,125", "decimal commas"),
        ("0,5; 0,5", "decimal commas"),
        ("0,5", "decimal commas"),
        ("0,5, 0,5", "decimal commas"),
        ("1,05", "decimal commas"),
        ("-0,5 1,5 / 2", "decimal commas"),
        (full_width("0,5 0,5"), "decimal commas"),
        ("1e308 1e308", "too large to be summed"),
        ("1 / 1e-310", "too large to be summed"),
        (" ".join(["1"] * 1_048_577), "1x1048577 entries; at most 1048576"),
    ],
)
def test_broken_matrices(reference: str, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)) as caught:
        resolve(reference, REGISTRY)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


PASTED = [
    "[[0,-1,0],[-1,4,-1],[0,-1,0]]",
    "[[ 0 -1  0]\n [-1  4 -1]\n [ 0 -1  0]]",
    "[0 -1 0; -1 4 -1; 0 -1 0]",
    "[0, -1, 0; -1, 4, -1; 0, -1, 0];",
    "[0 -1 0\n-1 4 -1\n0 -1 0]",
    "0 -1 0; -1 4 -1; 0 -1 0;",
    "0 -1 0\n-1 4 -1\r\n0 -1 0\n",
    "0\t-1\t0\n-1\t4\t-1\n0\t-1\t0",
    "0, -1, 0,\n-1, 4, -1,\n0, -1, 0,\n",
    "{{0, -1, 0},\n {-1, 4, -1},\n {0, -1, 0}};",
    "((0, -1, 0), (-1, 4, -1), (0, -1, 0))",
    "[0, -1, 0], [-1, 4, -1], [0, -1, 0]",
    "array([[ 0., -1.,  0.],\n       [-1.,  4., -1.],\n       [ 0., -1.,  0.]])",
    "np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=np.float32)",
    full_width("0,-1,0;-1,4,-1;0,-1,0"),
    full_width("0 -1 0;-1 4 -1;0 -1 0"),
    full_width("[[0,-1,0],[-1,4,-1],[0,-1,0]]"),
    "0 \N{MINUS SIGN}1 0; \N{MINUS SIGN}1 4 \N{MINUS SIGN}1; 0 \N{MINUS SIGN}1 0",
    "tensor([[ 0., -1.,  0.],\n        [-1.,  4., -1.],\n        [ 0., -1.,  0.]], device='cpu', dtype=torch.float64)",
    "[[[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]]]",
    "h = [0 -1 0 ...\n; -1 4 -1; 0 -1 0];",
    "kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])",
    "{0,-1,0, -1,4,-1, 0,-1,0}",
    "0,-1,0 -1,4,-1 0,-1,0",
    "3x3: 0,-1,0 -1,4,-1 0,-1,0",
    "3: 0,-1,0,-1,4,-1,0,-1,0",
    r"\begin{bmatrix} 0 & -1 & 0 \\ -1 & 4 & -1 \\ 0 & -1 & 0 \end{bmatrix}",
    r"$\left[\begin{array}{ccc}0&-1&0\\-1&4&-1\\0&-1&0\\\end{array}\right]$",
    "\N{BOM}0 -1 0; -1 4 -1; 0 -1 0",
]


@pytest.mark.parametrize("reference", PASTED)
def test_pasted_matrices(reference: str) -> None:
    assert kernel(reference).taps.tolist() == [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    ("reference", "taps", "divisor"),
    [
        ("1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9", [[1] * 3] * 3, 9),
        ("[1/16, 1/8; 1/8, 1/4]", [[0.0625, 0.125], [0.125, 0.25]], 1),
        ("[[1/3, -1/2]]", [[2, -3]], 6),
        ("\N{MINUS SIGN}1/3 1/3", [[-1, 1]], 3),
        ("1\N{FRACTION SLASH}3 1/3", [[1, 1]], 3),
        ("[1 2 1]/4", [[1, 2, 1]], 4),
        ("[[1, 2], [2, 4]] / 9", [[1, 2], [2, 4]], 9),
        ("[1 2 1/4]", [[1, 2, 0.25]], 1),
        ("1/3 1/3 / 2", [[1, 1]], 6),
        ("1/1 2/1", [[1, 2]], 1),
        ("1/9 * [[1, 1], [1, 1]]", [[1, 1], [1, 1]], 9),
        ("(1/9)[1 1; 1 1]", [[1, 1], [1, 1]], 9),
        ("[1 1; 1 1] * 1/9", [[1, 1], [1, 1]], 9),
        ("1 1; 1 1 \N{MULTIPLICATION SIGN} 0.25", [[1, 1], [1, 1]], 4),
        ("1 1; 1 1 \N{DIVISION SIGN} 4", [[1, 1], [1, 1]], 4),
        ("-2*[1 2]/8", [[1, 2]], -4),
        (r"\frac{1}{9} \cdot \begin{pmatrix} 1 & 1/2 \end{pmatrix}", [[1, 0.5]], 9),
    ],
)
def test_fractions(reference: str, taps: list[list[float]], divisor: float) -> None:
    result = kernel(reference)
    assert result.taps.tolist() == taps and result.divisor == divisor


def test_commas_without_spaces_stay_separators() -> None:
    assert kernel("0,1;-1,0").taps.tolist() == [[0, 1], [-1, 0]]
    assert kernel("1,1;1,1").taps.tolist() == [[1, 1], [1, 1]]
    assert kernel("[0,5]").taps.tolist() == [[0, 5]]


@pytest.mark.parametrize(
    ("reference", "expected"), [("-1 0 1", "abs"), ("1 0 1", "clip"), ("0.1 0.2 -0.3", "abs"), ("0", "abs"), ("1e-9 0", "clip")]
)
def test_the_default_range_follows_the_sum(reference: str, expected: str) -> None:
    assert kernel(reference).range == expected


@pytest.mark.parametrize(
    ("reference", "size", "name"),
    [
        ("laplacian8", (3, 3), "laplacian8"),
        (" gaussian ", (9, 9), "gaussian"),
        ("gaussian:sigma=2,size=9", (9, 9), "gaussian-sigma-2-size-9"),
        ("box: size=5", (5, 5), "box-size-5"),
        ("disk:radius=3", (7, 7), "disk-radius-3"),
        ("motion:length=9,angle=90", (9, 1), "motion-length-9-angle-90"),
        ("gabor:sigma=1,angle=30,wavelength=6,phase=-90,aspect=1", (9, 9), "gabor-sigma-1-angle-30-wavelength-6-phase--90-aspect-1"),
        ("dog:sigma1=1,sigma2=2", (17, 17), "dog-sigma1-1-sigma2-2"),
        ("gauss_dx:sigma=1,order=3", (9, 9), "gauss_dx-sigma-1-order-3"),
        ("kirsch_n:angle=45", (3, 3), "kirsch_n-angle-45"),
    ],
)
def test_names_and_parameters(reference: str, size: tuple[int, int], name: str) -> None:
    assert kernel(reference).kernel_size == size
    assert kernel(reference).name == name == slug(reference)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("sobelx", "nearest: sobel_x"),
        ("Laplacian", "nearest: laplacian"),
        ("gaussian(sigma=2, size=9)", "parameters follow a colon, as in gaussian:NAME=NUMBER"),
        ("gaussian sigma=2", "parameters follow a colon, as in gaussian:NAME=NUMBER"),
        ("sobel_x,sobel_y", "give each kernel with a -k of its own"),
        ("median", "median is not a kernel but a pooling mode; use the command imgconv pool --mode median"),
        ("np.ones((3,3))/9", "is unknown"),
        ("gausian", "nearest: gaussian"),
        ("zzzz", "kernel 'zzzz' is unknown; imgconv kernels list shows all"),
        ("", "kernel '' is unknown"),
        ("w.npy", "write @w.npy"),
        ("x" * 5000, "is unknown"),
        ("gaussian:", "parameter '' is not NAME=NUMBER"),
        ("gaussian:2", "parameter '2' is not NAME=NUMBER"),
        ("gaussian:sigma=two", "parameter 'sigma=two' is not NAME=NUMBER"),
        ("gaussian:sigma=nan", "is not NAME=NUMBER"),
        ("gaussian:sigma=1,sigma=2", "gives sigma twice"),
        ("gaussian:radius=2", "no parameter 'radius'; it takes sigma, size"),
        ("gaussian:sigma=0", "sigma must be a number from 0.01"),
        ("gaussian:sigma=-1", "sigma must be a number"),
        ("gaussian:sigma=1e999", "sigma must be a number"),
        ("box:size=2.5", "size must be a whole number from 1 to 1024, not 2.5"),
        ("box:size=0", "size must be a whole number"),
        ("box:size=10000", "size must be a whole number"),
        ("gaussian:sigma=200", "1601x1601 taps; at most 1048576"),
        ("sobel_x:sigma=2", "sobel_x takes only angle, in steps of 45"),
        ("roberts_x:angle=90", "roberts_x takes none"),
        ("kirsch_n:angle=44", "multiple of 45 degrees, not 44"),
        ("kirsch:angle=45", "bank kirsch fixes angle"),
        ("laws:size=3", "bank laws has no parameter 'size'"),
        ("sobel:sigma=2", "no parameter 'sigma'"),
    ],
)
def test_wrong_names_and_parameters(reference: str, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)) as caught:
        resolve(reference, REGISTRY)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_banks_parameters_go_to_its_members() -> None:
    result = resolve("gauss_gradient:sigma=3", REGISTRY)
    assert isinstance(result, Bank) and [member.kernel_size for member in result.kernels] == [(25, 25)] * 2


def test_resolve_loads_the_registry_itself(config_home: object) -> None:
    assert resolve("sobel").name == "sobel"


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([" ", ",", " , ", "  "]),
    st.sampled_from([";", " ; ", ";\n"]),
    st.none() | st.floats(0.1, 1e6),
)
def test_any_matrix_reads_back(rows: list[list[float]], comma: str, semicolon: str, divisor: float | None) -> None:
    text = semicolon.join(comma.join(map(repr, row)) for row in rows) + (f" / {divisor!r}" if divisor else "")
    assert kernel(text).taps.tolist() == rows and kernel(text).divisor == (divisor or 1)


@given(st.dictionaries(st.sampled_from(["sigma", "size", "angle", "amount"]), st.floats(-1e6, 1e6)))
def test_parameters_read_back(parameters: dict[str, float]) -> None:
    assert split_parameters(with_parameters("name", parameters)) == ("name", parameters)


@given(
    st.text(max_size=40) | st.text("019.-+;, /enaif@:=_gbox", max_size=40) | st.sampled_from(REGISTRY.names()).map(lambda name: name + ":")
)
def test_no_text_breaks_resolve_or_slug(text: str) -> None:
    """Whatever is typed gives a kernel, or an error of one line that is ours."""
    assert re.fullmatch(r"[^\s/\\:*?\"<>|\x00]+", slug(text)) and len(slug(text).encode()) <= 80
    try:
        result = resolve(text, REGISTRY)
    except ImgconvError as error:
        assert "\n" not in str(error).replace(text, "").replace(text[1:], "")
    else:
        assert isinstance(result, Kernel | Bank)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("laplacian8", "laplacian8"),
        ("gaussian:sigma=2.0", "gaussian-sigma-2"),
        ("gaussian:sigma=0.5", "gaussian-sigma-0.5"),
        ("gabor:phase=-90", "gabor-phase--90"),
        ("@w.npy", "w"),
        ("@deep/er\\w.NPZ", "w"),
        ("@net.safetensors:conv1.weight", "net-conv1.weight"),
        ("@a b*.npy", "a-b"),
        ("@Stra\N{LATIN SMALL LETTER SHARP S}e.npy", "Stra\N{LATIN SMALL LETTER SHARP S}e"),
        ("@con.npy", "kernel-con"),
        ("@...npy", "kernel"),
        ("@\udcff.npy", "kernel"),
        ("1 2 1", "matrix"),
        ("", "matrix"),
    ],
)
def test_slugs(reference: str, expected: str) -> None:
    assert slug(reference) == expected


def test_long_slugs_stay_apart() -> None:
    first, second = slug(f"@{'a' * 300}1.npy"), slug(f"@{'a' * 300}2.npy")
    assert len(first) == 80 and first != second and len(slug(f"@{chr(233) * 100}.npy").encode()) <= 80


@pytest.mark.parametrize(
    ("array", "text"),
    [
        ([[1, 2], [3]], "ragged"),
        ([], "has 1 axes"),
        ([[]], "is empty"),
        ([1, 2, 1], "has 1 axes; give"),
        (np.zeros((2, 3, 3)), "has 3 axes; give a 2-D array"),
        ([[1, math.nan]], "holds NaN or infinity"),
        ([[1, math.inf]], "holds NaN or infinity"),
        (np.broadcast_to(1.0, (10_000, 10_000)), "10000x10000 taps; at most 1048576"),
    ],
)
def test_arrays_that_are_no_kernel(array: object, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        kernel_from_array(array)


@pytest.mark.parametrize("array", [[[1j]], [["a"]], [[None]]])
def test_arrays_that_are_no_numbers(array: object) -> None:
    with pytest.raises(ArgumentTypeError, match="give real numbers"):
        kernel_from_array(array)


def test_an_array_is_copied_and_read_only() -> None:
    given_array = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)[:, ::-1]
    result = kernel_from_array(given_array, "mine")
    given_array[:] = 0
    assert result.taps.tolist() == [[3, 2, 1], [6, 5, 4]] and result.taps.flags.c_contiguous and result.name == "mine"
    with pytest.raises(ValueError, match="read-only"):
        result.taps[0, 0] = 1
