"""Every built-in kernel against what defines it: answers to constants, ramps, parabolas and steps, symmetry, rotation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from imgconv.registry import Bank, Kernel, Registry

Array = NDArray[np.float64]
Surface = Callable[[Array, Array], Array]

# Kernels by kind; test_every_entry_is_tested fails for a name in none of them.
LAPLACIANS = {"laplacian4": 4, "laplacian8": 12, "laplacian_diag": 4, "laplacian9": 4, "log5": 32, "log": 4}
SLOPES = {  # the answer of NAME_x to a ramp that rises by 1 a pixel to the right
    "sobel": 8,
    "scharr": 32,
    "scharr162": 2,
    "prewitt": 6,
    "central": 1,
    "sobel5": 128,
    "farid": 0.992,
    "freichen": 2,
    "haar": 1,
    "gauss_d": -1,
}
KEEPING_THE_MEAN = {
    *("identity", "box", "gaussian3", "gaussian5", "gaussian", "binomial", "tent", "disk", "motion", "smooth"),
    *("sharpen4", "sharpen8", "unsharp", "unsharp5", "highboost", "edge_enhance", "detail", "emboss"),
    *("square", "cross", "diamond", "ring", "segment"),
}
COMPASS = {"kirsch": "kirsch_n", "robinson5": "robinson5_n", "robinson3": "robinson3_n", "prewitt_compass": "prewitt_compass_n"}
LINES = ("line_h", "line_45", "line_v", "line_135")
ALONE = {"dog", "roberts_x", "roberts_y", "gauss_dxx", "gauss_dyy", "gauss_dxy", "relief", "gabor", "kv", "bilinear4"}
OTHER_BANKS = {"line", "freichen_basis", "freichen_edge", "laws", "emboss_directions", "relief_directions", "roberts", "gauss_gradient"}


def slope_names(stem: str) -> tuple[str, str]:
    """Names of a pair of slopes: gauss_dx, gauss_dy; otherwise NAME_x, NAME_y."""
    return (f"{stem}x", f"{stem}y") if stem == "gauss_d" else (f"{stem}_x", f"{stem}_y")


def kernel(registry: Registry, name: str, **parameters: float) -> Kernel:
    result = registry.get(name, parameters)
    assert isinstance(result, Kernel)
    return result


def bank(registry: Registry, name: str) -> Bank:
    result = registry.get(name)
    assert isinstance(result, Bank)
    return result


def answer(kernel: Kernel, surface: Surface) -> float:
    """What the kernel gives for a surface at the pixel under its centre; coordinates count from there, x right, y down."""
    height, width = kernel.kernel_size
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    return float((kernel.weights() * surface(x, y)).sum())


def ring(taps: Array) -> list[float]:
    """The eight outer taps of a 3x3 kernel, clockwise from the top left."""
    return [*taps[0, :2], *taps[:2, 2], *taps[2, :0:-1], *taps[:0:-1, 0]]


def test_every_entry_is_tested(registry: Registry) -> None:
    slopes = {name for stem in SLOPES for name in slope_names(stem)}
    pairs = {stem for stem in SLOPES if stem != "gauss_d"}
    basis = {f"freichen_w{n}" for n in range(1, 10)}
    kernels = {*LAPLACIANS, *slopes, *KEEPING_THE_MEAN, *COMPASS.values(), *LINES, *ALONE, *basis}
    assert kernels | pairs | set(COMPASS) | OTHER_BANKS == set(registry.names())


def test_every_entry_has_a_description_a_source_and_a_range(registry: Registry) -> None:
    for entry in registry.entries():
        assert entry.description and len(entry.source) > 5 and entry.tags and entry.range, entry.name
        assert registry.get(entry.name).range == entry.range
        assert registry.get(entry.name).description == entry.description


def test_default_range_follows_the_sum(registry: Registry) -> None:
    """Zero-sum kernels show their size, kernels that keep the mean are clipped; relief is moved to mid-grey, gabor stretched."""
    for entry in registry.entries():
        if entry.kind == "kernel" and entry.name not in ("relief", "gabor"):
            assert entry.range == ("abs" if kernel(registry, entry.name).total == 0 else "clip"), entry.name


@pytest.mark.parametrize("name", sorted(KEEPING_THE_MEAN))
def test_keeps_a_constant(registry: Registry, name: str) -> None:
    assert kernel(registry, name).total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", sorted(KEEPING_THE_MEAN - {"emboss"}))
def test_keeps_a_ramp(registry: Registry, name: str) -> None:
    """All of them are symmetric about their centre, so a plane passes unchanged, blurred or sharpened."""
    taps = kernel(registry, name).taps
    np.testing.assert_allclose(taps, taps[::-1, ::-1], atol=1e-15)
    assert answer(kernel(registry, name), lambda x, y: 3 * x - 2 * y) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", sorted(KEEPING_THE_MEAN - {"emboss", "motion", "segment"}))
def test_treats_all_quarter_turns_alike(registry: Registry, name: str) -> None:
    taps = kernel(registry, name).taps
    np.testing.assert_allclose(taps, np.rot90(taps), atol=1e-15)
    np.testing.assert_allclose(taps, taps.T, atol=1e-15)


@pytest.mark.parametrize(("name", "size"), LAPLACIANS.items())
def test_laplacian_answers_bends_and_nothing_else(registry: Registry, name: str, size: float) -> None:
    """Zero for a plane, and the same multiple of the second derivative along x, along y and along the diagonals."""
    laplacian = kernel(registry, name)
    assert laplacian.total == 0 and laplacian.taps[laplacian.taps.shape[0] // 2, laplacian.taps.shape[1] // 2] > 0
    assert answer(laplacian, lambda x, y: 5 * x + 7 * y) == pytest.approx(0, abs=1e-12)
    assert answer(laplacian, lambda x, y: x * x + y * y) == pytest.approx(-size, rel=3e-3)
    assert answer(laplacian, lambda x, y: x * x) == pytest.approx(answer(laplacian, lambda x, y: y * y))
    assert answer(laplacian, lambda x, y: x * y) == pytest.approx(0, abs=1e-12)
    assert answer(laplacian, lambda x, y: x * x - y * y) == pytest.approx(0, abs=1e-9)


def frequency_response(kernel: Kernel, angle: float, frequency: float = 1.0) -> complex:
    """Answer to the wave e**(i*frequency*s), s running along `angle`."""
    direction = math.cos(angle), math.sin(angle)
    height, width = kernel.kernel_size
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    return complex((kernel.weights() * np.exp(1j * frequency * (x * direction[0] + y * direction[1]))).sum())


def test_laplacian9_is_the_roundest(registry: Registry) -> None:
    """At 1 rad a pixel its answer varies with direction by under 0.2 %, those of the other 3x3 Laplacians by 4 % and more."""

    def spread(name: str) -> float:
        answers = [frequency_response(kernel(registry, name), math.radians(a)).real for a in range(91)]
        return (max(answers) - min(answers)) / max(answers)

    assert spread("laplacian9") < 0.002
    assert all(spread(name) > 0.04 for name in ("laplacian4", "laplacian8", "laplacian_diag"))


@pytest.mark.parametrize(("stem", "slope"), SLOPES.items())
def test_slope_answers_its_ramp_alone(registry: Registry, stem: str, slope: float) -> None:
    across, down = (kernel(registry, name) for name in slope_names(stem))
    np.testing.assert_array_equal(down.taps, across.taps.T)
    assert across.total == 0
    assert answer(across, lambda x, y: x) == pytest.approx(slope, rel=2e-3)
    assert answer(across, lambda x, y: y) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(across.taps, -across.taps[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(across.taps, across.taps[::-1], atol=1e-12)
    assert across.separable and across.rank == 1


@pytest.mark.parametrize(
    ("stem", "degrees"), [("prewitt", 2.63), ("freichen", 1.95), ("sobel", 1.24), ("scharr", 0.24), ("scharr162", 0.18)]
)
def test_worst_error_of_a_gradients_direction(registry: Registry, stem: str, degrees: float) -> None:
    """At 1 rad a pixel, over all directions; the figures of the kernel table, to their last digit."""
    across, down = (kernel(registry, name) for name in slope_names(stem))
    angles = np.radians(np.linspace(0, 90, 901))
    measured = [math.atan2(frequency_response(down, a).imag, frequency_response(across, a).imag) for a in angles]
    assert math.degrees(np.abs(measured - angles).max()) == pytest.approx(degrees, abs=0.006)


def test_farid_and_sobel5_point_right_too(registry: Registry) -> None:
    for stem, degrees in (("farid", 0.14), ("sobel5", 1.25)):
        across, down = (kernel(registry, name) for name in slope_names(stem))
        errors = [math.atan2(frequency_response(down, a).imag, frequency_response(across, a).imag) - a for a in np.radians(range(91))]
        assert math.degrees(np.abs(errors).max()) < degrees, stem


@pytest.mark.parametrize(("name", "gain"), [("laplacian4", 4), ("laplacian8", 8), ("sobel_x", 4), ("scharr_y", 16), ("prewitt_x", 3)])
def test_gain_is_the_largest_answer_to_values_up_to_one(registry: Registry, name: str, gain: float) -> None:
    result = kernel(registry, name)
    assert result.gain == gain == float((result.weights() * (result.taps > 0)).sum())


def test_gains_of_the_larger_masks(registry: Registry) -> None:
    gains = {name: kernel(registry, name).gain for name in ("sobel5_x", "kirsch_n", "robinson5_n", "robinson3_n", "prewitt_compass_n")}
    assert gains == {"sobel5_x": 48, "kirsch_n": 15, "robinson5_n": 4, "robinson3_n": 3, "prewitt_compass_n": 5}


def test_roberts_differs_along_both_diagonals(registry: Registry) -> None:
    falling, rising = kernel(registry, "roberts_x"), kernel(registry, "roberts_y")
    for result, along, across in ((falling, 1, -1), (rising, -1, 1)):
        assert result.anchor == (0, 0) and result.total == 0
        assert answer(result, lambda x, y, s=along: x + s * y) in (-2, 2)
        assert answer(result, lambda x, y, s=across: x + s * y) == 0


@pytest.mark.parametrize("sigma", [1.0, 1.7, 3.0])
def test_second_derivatives_of_a_gaussian(registry: Registry, sigma: float) -> None:
    surfaces: dict[str, Surface] = {
        "gauss_dxx": lambda x, y: x * x / 2,
        "gauss_dyy": lambda x, y: y * y / 2,
        "gauss_dxy": lambda x, y: x * y,
    }
    for name in surfaces:
        result = kernel(registry, name, sigma=sigma)
        assert result.total == 0
        for other, surface in surfaces.items():
            assert answer(result, surface) == pytest.approx(float(name == other), abs=6e-3), (name, other)
    dxx, dyy = kernel(registry, "gauss_dxx", sigma=sigma), kernel(registry, "gauss_dyy", sigma=sigma)
    np.testing.assert_array_equal(dxx.taps, dyy.taps.T)


def test_kv_ignores_changes_along_a_single_axis(registry: Registry) -> None:
    kv = kernel(registry, "kv")
    noise = np.random.default_rng(3).normal(size=5)
    assert answer(kv, lambda x, y: noise[(x + 2).astype(int)] + noise[(y + 2).astype(int)] ** 2) == pytest.approx(0, abs=1e-12)
    assert kv.weights()[2, 2] == -1
    np.testing.assert_array_equal(kv.taps, np.rot90(kv.taps))


def test_relief_is_flat_grey_and_lit_from_the_top_left(registry: Registry) -> None:
    relief, emboss = kernel(registry, "relief"), kernel(registry, "emboss")
    assert relief.total == 0 and relief.offset == 128
    for result in (relief, emboss):
        assert answer(result, lambda x, y: x + y) > 0 == answer(result, lambda x, y: x - y)
    np.testing.assert_array_equal(relief.taps, -relief.taps[::-1, ::-1])


def test_bilinear4_rebuilds_a_ramp_at_twice_the_size(registry: Registry) -> None:
    weights = kernel(registry, "bilinear4").weights()
    assert weights.sum() == 4
    spread = np.zeros(16)
    for position, value in enumerate(range(1, 7)):
        spread[2 * position : 2 * position + 4] += value * weights.sum(axis=0) / 2
    np.testing.assert_allclose(np.diff(spread[3:11]), 0.5)


@pytest.mark.parametrize(("name", "member"), COMPASS.items())
def test_compass_ring_turns_clockwise_by_one_tap_a_step(registry: Registry, name: str, member: str) -> None:
    result = bank(registry, name)
    assert result.combine == "max" and len(result.kernels) == 8
    north = ring(kernel(registry, member).taps)
    for step, turned in enumerate(result.kernels):
        assert ring(turned.taps) == [north[(n - step) % 8] for n in range(8)]
        assert turned.total == 0 and turned.taps[1, 1] == kernel(registry, member).taps[1, 1]


@pytest.mark.parametrize("name", COMPASS)
@pytest.mark.parametrize("step", range(8))
def test_compass_finds_the_bright_side(registry: Registry, name: str, step: int) -> None:
    """A step edge that is bright towards north, north-east, ... is answered most by that member, which its angle names."""
    angle = math.radians(45 * step - 90)
    answers = [
        answer(k, lambda x, y: np.sign(np.round(x * math.cos(angle) + y * math.sin(angle), 9))) for k in bank(registry, name).kernels
    ]
    assert int(np.argmax(answers)) == step
    assert step == 0 or bank(registry, name).kernels[step].name.endswith(f"-angle-{45 * step}")


def test_line_masks_answer_their_own_line_most(registry: Registry) -> None:
    surfaces: list[Surface] = [lambda x, y: y == 0, lambda x, y: x == y, lambda x, y: x == 0, lambda x, y: x == -y]
    members = bank(registry, "line").kernels
    assert [member.name for member in members] == list(LINES)
    answers = np.array([[answer(member, surface) for surface in surfaces] for member in members])
    assert (np.argmax(answers, axis=1) == range(4)).all() and (np.diag(answers) == 6).all()
    assert (answers[~np.eye(4, dtype=bool)] == 0).all()
    for n, member in enumerate(members):
        np.testing.assert_array_equal(kernel(registry, "line_h", angle=45 * n).taps, member.taps)


@pytest.mark.parametrize("name", ["freichen_basis", "freichen_edge"])
def test_frei_chen_masks_are_an_orthonormal_basis(registry: Registry, name: str) -> None:
    result = bank(registry, name)
    vectors = np.array([member.weights().ravel() for member in result.kernels])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(9), atol=1e-12)


def test_frei_chen_subspaces(registry: Registry) -> None:
    """The first four masks are odd about the centre (edges), the rest even; only the last answers a constant."""
    members = bank(registry, "freichen_edge").kernels
    for n, member in enumerate(members, 1):
        turned = member.taps[::-1, ::-1]
        np.testing.assert_array_equal(turned, -member.taps if n <= 4 else member.taps)
        assert (member.total != 0) == (n == 9)
    assert bank(registry, "freichen_edge").combine == "projection" and bank(registry, "freichen_edge").subspace == 4
    assert bank(registry, "freichen_basis").combine == "none"


def test_laws_maps_are_products_of_five_rows(registry: Registry) -> None:
    members = {member.name: member.taps for member in bank(registry, "laws").kernels}
    assert len(members) == 25
    level, edge, spot, wave, ripple = (members[f"laws_l5{letter}5"][0] for letter in "leswr")
    rows = {"l": level, "e": edge, "s": spot, "w": wave, "r": ripple}
    for down, first in rows.items():
        for across, second in rows.items():
            np.testing.assert_array_equal(members[f"laws_{down}5{across}5"], np.outer(first, second))
    assert [row.sum() for row in rows.values()] == [16, 0, 0, 0, 0]
    np.testing.assert_array_equal(ripple, level * [1, -1, 1, -1, 1])
    np.testing.assert_array_equal(edge, np.convolve([1, 2, 1], [-1, 0, 1]))
    np.testing.assert_array_equal(spot, np.convolve([-1, 0, 1], [1, 0, -1]))
    np.testing.assert_array_equal(wave, np.convolve([-1, 0, 1], [1, -2, 1]))


@pytest.mark.parametrize("name", ["emboss_directions", "relief_directions"])
def test_relief_directions_light_every_side(registry: Registry, name: str) -> None:
    members = bank(registry, name).kernels
    for step, member in enumerate(members):
        angle = math.radians(45 + 45 * step)
        assert answer(member, lambda x, y, a=angle: x * math.cos(a) + y * math.sin(a)) > 3
        assert member.total == members[0].total and member.offset == members[0].offset
    assert len({member.taps.tobytes() for member in members}) == 8


@pytest.mark.parametrize("name", [*(stem for stem in SLOPES if stem != "gauss_d"), "roberts", "gauss_gradient"])
def test_gradient_banks_join_two_slopes(registry: Registry, name: str) -> None:
    result = bank(registry, name)
    assert result.combine == "hypot" and result.range == "abs" and len(result.kernels) == 2
    first, second = (member.weights() for member in result.kernels)
    assert (first * second).sum() == pytest.approx(0, abs=1e-12)
    assert (first**2).sum() == pytest.approx((second**2).sum())
