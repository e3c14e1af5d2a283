"""Computed kernels over their parameters, against the integrals and identities that define them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgconv.errors import UsageError
from imgconv.registry import Kernel, Registry
from imgconv.registry.generators import GENERATORS, check_parameters, generate


def weights(name: str, **parameters: float) -> np.ndarray:
    taps, divisor = generate(name, parameters)
    return taps / divisor


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_works_with_its_defaults_and_a_size(name: str) -> None:
    taps, divisor = generate(name, {})
    assert taps.ndim == 2 and np.isfinite(taps).all() and divisor > 0
    if "size" in GENERATORS[name]:
        assert generate(name, {"size": 7})[0].shape == (7, 7)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_parameter_refuses_values_out_of_range(name: str) -> None:
    for word, parameter in GENERATORS[name].items():
        outside = [math.nan, math.inf, -math.inf, parameter.least - 1, parameter.most * 2, True, "2", None]
        for value in [*outside, *([2.5] if parameter.whole else [])]:
            with pytest.raises(UsageError, match=f"{word} must be a (whole )?number from"):
                check_parameters("kernel k", name, {word: value})


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 3.3])
def test_a_gaussian_reaches_four_sigma_and_has_its_variance(sigma: float) -> None:
    taps = weights("gaussian", sigma=sigma)
    reach = math.ceil(4 * sigma)
    assert taps.shape == (2 * reach + 1, 2 * reach + 1)
    assert taps.sum() == pytest.approx(1, abs=1e-12)
    x = np.arange(-reach, reach + 1)
    assert taps[reach, reach + 1] / taps[reach, reach] == pytest.approx(math.exp(-1 / (2 * sigma**2)))
    assert (taps.sum(axis=0) * x**2).sum() == pytest.approx(sigma**2, rel=0.15 if sigma < 1 else 5e-3)


def test_a_very_narrow_gaussian_is_a_delta_even_of_even_size() -> None:
    assert weights("gaussian", sigma=0.01).max() == 1
    np.testing.assert_array_equal(weights("gaussian", sigma=0.01, size=2), np.full((2, 2), 0.25))


@pytest.mark.parametrize("size", [1, 2, 5, 27, 28, 300])
def test_binomial_is_a_box_of_two_blurred_again_and_again(size: int) -> None:
    row = np.ones(1)
    for _ in range(size - 1):
        row = np.convolve(row, [0.5, 0.5])
    np.testing.assert_allclose(weights("binomial", size=size), np.outer(row, row), atol=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_tent_is_a_box_blurred_by_a_box(size: int) -> None:
    box = np.ones((size + 1) // 2), np.ones(size // 2 + 1)
    row = np.convolve(*box) / box[0].size / box[1].size
    np.testing.assert_allclose(weights("tent", size=size), np.outer(row, row))


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_box_is_flat_in_whole_numbers(size: int) -> None:
    taps, divisor = generate("box", {"size": size})
    assert (taps == 1).all() and divisor == size**2 == taps.size


@pytest.mark.parametrize("radius", [0.1, 0.5, 0.8, 1.5, 2.5, 3, 4.7, 20])
def test_disk_covers_the_area_of_its_circle(radius: float) -> None:
    taps, divisor = generate("disk", {"radius": radius})
    assert divisor == pytest.approx(math.pi * radius**2)
    assert taps.shape[0] == 2 * math.ceil(radius - 0.5) + 1 and taps.max() <= 1 and taps[:, 0].max() > 0
    np.testing.assert_allclose(taps, taps.T, atol=2e-12)
    assert ((taps == 0) | (taps > 1e-9)).all()


def test_disk_counts_the_share_of_a_pixel_inside_the_circle() -> None:
    taps, _ = generate("disk", {"radius": 3.3})
    fine = (np.arange(9 * 200) + 0.5) / 200 - 4.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= 3.3**2).reshape(9, 200, 9, 200).mean(axis=(1, 3))
    np.testing.assert_allclose(np.pad(taps, (9 - taps.shape[0]) // 2), inside, atol=2e-3)


@pytest.mark.parametrize("length", [1, 2, 3, 9, 12.5])
@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, 200, -45])
def test_motion_is_a_line_at_its_angle(length: float, angle: float) -> None:
    taps, divisor = generate("motion", {"length": length, "angle": angle})
    height, width = taps.shape
    assert (taps >= 0).all() and divisor == taps.sum()
    np.testing.assert_allclose(taps, taps[::-1, ::-1])
    y, x = np.mgrid[:height, :width] - np.array([height // 2, width // 2])[:, None, None]
    distance = np.abs(-x * math.sin(math.radians(angle)) + y * math.cos(math.radians(angle)))
    assert distance[taps > 0].max() < 1
    if length >= 3:
        second = (taps * x * y).sum()
        assert np.sign(round(second, 9)) == np.sign(round(math.sin(math.radians(2 * angle)), 9))


def test_motion_along_an_axis_is_a_plain_row_or_column() -> None:
    np.testing.assert_array_equal(generate("motion", {"length": 9, "angle": 0})[0], np.ones((1, 9)))
    np.testing.assert_array_equal(generate("motion", {"length": 5, "angle": 90})[0], np.ones((5, 1)))
    assert generate("motion", {"length": 1, "angle": 33})[0].tolist() == [[1]]


def test_dog_is_one_gaussian_minus_another_and_close_to_the_log() -> None:
    narrow, wide = weights("gaussian", sigma=1.5, size=21), weights("gaussian", sigma=2.4, size=21)
    np.testing.assert_allclose(weights("dog", sigma1=1.5, size=21), narrow - wide, atol=1e-15)
    assert weights("dog", sigma1=1.5).shape == (21, 21)
    log = weights("log", sigma=1.9, size=21).ravel()
    dog = weights("dog", sigma1=1.5, size=21).ravel()
    assert log @ dog / math.sqrt((log @ log) * (dog @ dog)) > 0.99


@pytest.mark.parametrize("sigma", [0.7, 1.4, 3])
def test_log_has_zero_mean_and_changes_sign_at_sigma_root_two(sigma: float) -> None:
    taps = weights("log", sigma=sigma, size=41)
    assert taps.sum() == pytest.approx(0, abs=1e-13)
    radius = np.hypot(*(np.mgrid[:41, :41] - 20))
    assert (taps[radius < 1.38 * sigma] > 0).all() and (taps[(radius > 1.45 * sigma) & (radius < 2.5 * sigma)] < 0).all()
    assert taps[20, 20] == pytest.approx(1 / (math.pi * sigma**4), rel=1e-3)


@pytest.mark.parametrize("order", range(1, 9))
def test_gaussian_derivatives_answer_the_power_of_their_order(order: int) -> None:
    """The n-th derivative, as a correlation mask, answers x**n / n! with (-1)**n and lower powers (but rounding) with nothing."""
    row = weights("gauss_dx", sigma=3, order=order, size=61).sum(axis=0)
    x = np.arange(-30.0, 31)
    assert (row * x**order).sum() / math.factorial(order) == pytest.approx((-1) ** order, rel=1e-6)
    for lower in range(order):
        assert (row * x**lower).sum() == pytest.approx(0, abs=1e-7 * 30**lower)
    np.testing.assert_array_equal(weights("gauss_dy", order=order), weights("gauss_dx", order=order).T)


def test_gauss_dx_is_the_slope_of_the_gaussian() -> None:
    blur, slope = weights("gaussian", sigma=2), weights("gauss_dx", sigma=2)
    x = np.arange(-8, 9)[None, :]
    np.testing.assert_allclose(slope, -x / 4 * blur, atol=1e-15)


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_gabor_is_even_or_odd_and_turns_with_its_angle(angle: float) -> None:
    even, odd = (weights("gabor", sigma=3, angle=angle, wavelength=7, phase=phase, size=31) for phase in (0, 90))
    np.testing.assert_allclose(even, even[::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(odd, -odd[::-1, ::-1], atol=1e-12)
    assert even[15, 15] == 1
    quarter = weights("gabor", sigma=3, angle=angle + 90, wavelength=7, size=31)
    np.testing.assert_allclose(quarter, np.rot90(even, -1), atol=1e-12)


def test_gabor_answers_its_own_wave_most() -> None:
    y, x = np.mgrid[-15:16, -15:16]
    gabor = weights("gabor", sigma=4, angle=30, wavelength=8, size=31)

    def answer(angle: float, wavelength: float) -> float:
        along = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
        return float((gabor * np.cos(2 * math.pi * along / wavelength)).sum())

    assert answer(30, 8) > 2 * max(abs(answer(*other)) for other in ((-30, 8), (75, 8), (30, 4), (30, 16)))


def test_gabor_aspect_stretches_the_envelope_across() -> None:
    round_, long = (weights("gabor", sigma=2, wavelength=100, aspect=aspect, size=33) for aspect in (1, 0.5))
    assert round_[24, 16] == pytest.approx(round_[16, 24] / math.cos(2 * math.pi * 8 / 100))
    assert long[24, 16] == pytest.approx(round_[20, 16]) and long.shape == weights("gabor").shape


@pytest.mark.parametrize("amount", [0, 0.5, 1, 3])
def test_unsharp_adds_what_the_blur_takes_away(amount: float) -> None:
    image = np.random.default_rng(0).normal(size=(9, 9))
    blur = (weights("gaussian") * image).sum()
    expected = image[4, 4] + amount * (image[4, 4] - blur)
    assert (weights("unsharp", amount=amount) * image).sum() == pytest.approx(expected)


def test_unsharp_refuses_an_even_size() -> None:
    with pytest.raises(UsageError, match="size must be odd, not 4"):
        generate("unsharp", {"size": 4})


@pytest.mark.parametrize("amount", [1, 1.5, 4])
def test_highboost_is_the_image_times_amount_plus_its_laplacian(registry: Registry, amount: float) -> None:
    taps = weights("highboost", amount=amount)
    laplacian, identity = registry.get("laplacian8"), registry.get("identity")
    assert isinstance(laplacian, Kernel) and isinstance(identity, Kernel)
    np.testing.assert_allclose(taps, amount * identity.taps + laplacian.taps)


def test_named_shortcuts_equal_their_formula(registry: Registry) -> None:
    """Masks in the table that are a computed kernel at some parameters, or a sum of two."""
    named = {name: registry.get(name) for name in ("gaussian3", "gaussian5", "sharpen4", "sharpen8", "unsharp5", "laplacian4", "identity")}
    taps = {name: result.weights() for name, result in named.items() if isinstance(result, Kernel)}
    np.testing.assert_allclose(taps["gaussian3"], weights("binomial", size=3))
    np.testing.assert_allclose(taps["gaussian5"], weights("binomial", size=5))
    np.testing.assert_allclose(taps["sharpen8"], weights("highboost"))
    np.testing.assert_allclose(taps["sharpen4"], taps["identity"] + taps["laplacian4"])
    np.testing.assert_allclose(taps["unsharp5"], 2 * np.pad(taps["identity"], 1) - weights("binomial", size=5))


@pytest.mark.parametrize("name", ["gaussian", "log", "dog", "gauss_dx", "gauss_dxy", "gabor", "unsharp"])
def test_a_scale_that_needs_too_many_taps_is_refused(name: str) -> None:
    sigma = "sigma1" if name == "dog" else "sigma"
    with pytest.raises(UsageError, match="at most 1048576 are allowed"):
        generate(name, {sigma: 1e6})


def test_dog_of_two_equal_scales_is_refused() -> None:
    with pytest.raises(UsageError, match="both 2"):
        generate("dog", {"sigma1": 2, "sigma2": 2})


@given(st.sampled_from(sorted(GENERATORS)), st.data())
def test_any_allowed_parameters_give_a_sound_kernel(name: str, data: st.DataObject) -> None:
    """Over small sizes: finite, not empty, and blurs and sharpeners sum to 1."""
    most = {"size": 31, "length": 31, "radius": 15, "sigma": 4, "sigma1": 4, "sigma2": 4}
    drawn = {}
    for word, parameter in GENERATORS[name].items():
        upper = min(parameter.most, most.get(word, parameter.most))
        numbers = st.integers(int(parameter.least), int(upper)) if parameter.whole else st.floats(parameter.least, upper)
        drawn[word] = data.draw(numbers, label=word)
    if name in ("unsharp", "cross"):
        drawn["size"] |= 1
    if name == "dog" and drawn["sigma1"] == drawn["sigma2"]:
        drawn["sigma2"] += 0.5
    taps, divisor = generate(name, drawn)
    assert np.isfinite(taps).all() and taps.size and np.isfinite(divisor) and divisor != 0
    if name not in ("log", "dog", "gauss_dx", "gauss_dy", "gauss_dxy", "gabor", "highboost"):
        assert (taps / divisor).sum() == pytest.approx(1, abs=1e-9)
