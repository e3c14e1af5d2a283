"""Adding kernels to the user's file: what is written reads back the same, and what was there stays."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imgconv.errors import UsageError
from imgconv.registry import Bank, Kernel, Registry, add_entry, kernel_from_array, remove_entry, resolve, user_file


def kernel(name: str) -> Kernel:
    result = Registry.load().get(name)
    assert isinstance(result, Kernel)
    return result


@pytest.mark.parametrize("reference", ["0 -1 0; -1 4.25 -1; 0 -1 0 / 3", "relief", "roberts_x", "freichen_w3", "1 2"])
def test_added_entries_can_be_read(reference: str) -> None:
    assert add_entry("mine", reference) == user_file()
    original, added = resolve(reference), kernel("mine")
    assert isinstance(original, Kernel)
    np.testing.assert_array_equal(added.taps, original.taps)
    for field in ("divisor", "offset", "range", "description", "source"):
        assert getattr(added, field) == getattr(original, field)
    assert added.anchor == original.anchor


def test_a_file_is_added_as_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([[0.1, -0.1]], dtype=np.float32))
    add_entry("mine", f"@{tmp_path / 'w.npy'}")
    assert kernel("mine").taps.tolist() == [[float(np.float32(0.1)), -float(np.float32(0.1))]] and kernel("mine").range == "abs"


def test_a_computed_kernel_stays_computed() -> None:
    add_entry("soft", "gaussian:sigma=3", details={"description": "softer", "tags": ["own"]})
    entry = next(entry for entry in Registry.load().entries() if entry.name == "soft")
    assert entry.table["generator"] == "gaussian" and entry.table["parameters"] == {"sigma": 3.0}
    assert (entry.description, entry.tags) == ("softer", ("own",))
    assert kernel("soft").kernel_size == (25, 25) and Registry.load().get("soft", {"sigma": 1}).name == "soft-sigma-1"
    add_entry("bend", "gauss_dxx:size=9")
    np.testing.assert_array_equal(kernel("bend").taps, resolve("gauss_dxx:size=9").taps)


@pytest.mark.parametrize("reference", ["kirsch", "freichen_edge", "laws"])
def test_a_bank_is_added_with_its_kernels(reference: str) -> None:
    add_entry("mine", reference)
    original, added = resolve(reference), Registry.load().get("mine")
    assert isinstance(original, Bank) and isinstance(added, Bank)
    assert (added.combine, added.subspace, added.range) == (original.combine, original.subspace, original.range)
    for first, second in zip(original.kernels, added.kernels, strict=True):
        np.testing.assert_array_equal(first.weights(), second.weights())


def test_a_kernel_of_python_is_added() -> None:
    add_entry("mine", kernel_from_array(np.eye(3)), details={"range": "raw", "source": "linear algebra"})
    assert kernel("mine").range == "raw" and kernel("mine").source == "linear algebra" and kernel("mine").total == 3


BEFORE = """# my kernels

[banks.both]           # a bank first
kernels = ["one", "box"]

[kernels.one]
rows = [[1, 2,   3]]   # kept as it is
# the end"""


def test_comments_order_and_layout_stay() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(BEFORE, "utf-8")
    add_entry("two", "1 1; 1 1 / 4")
    add_entry("pair", "roberts")
    lines = iter(user_file().read_text("utf-8").splitlines())
    assert all(line in lines for line in BEFORE.splitlines())
    assert {"one", "two", "both", "pair", "pair_1", "pair_2"} <= set(Registry.load().names())


def test_replacing_needs_replace_and_keeps_the_position() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(BEFORE, "utf-8")
    with pytest.raises(UsageError, match=r"already has a kernel 'one'.*--force"):
        add_entry("one", "5")
    assert user_file().read_text("utf-8") == BEFORE
    add_entry("one", "5", replace=True)
    assert kernel("one").taps.tolist() == [[5]]
    assert user_file().read_text("utf-8").startswith(BEFORE[: BEFORE.index("rows")])
    add_entry("both", "6", replace=True)
    assert kernel("both").taps.tolist() == [[6]]


@pytest.mark.parametrize(
    ("name", "reference", "text"),
    [
        ("a b", "1", "kernel name 'a b' is not allowed"),
        ("", "1", "is not allowed"),
        ("1st", "1", "is not allowed"),
        ("../up", "1", "is not allowed"),
        ("x" * 65, "1", "is not allowed"),
        ("fine", "1 2; 3", "ragged"),
        ("fine", "sobelx", "nearest: sobel_x"),
        ("fine", "gaussian:sigma=0", "sigma must be a number"),
        ("fine", "gaussian:sigma=300", "taps; at most"),
        ("fine", "nobody:sigma=3", "kernel 'nobody' is unknown"),
        ("fine", "sobel_x:angle=3", "multiple of 45"),
    ],
)
def test_nothing_is_written_for_wrong_arguments(name: str, reference: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        add_entry(name, reference)
    assert not user_file().parent.exists()


def test_weights_too_large_or_over_channels_stay_in_their_file(tmp_path: Path) -> None:
    np.save(tmp_path / "conv.npy", np.ones((2, 3, 3, 3)))
    np.save(tmp_path / "large.npy", np.ones((129, 128)))
    with pytest.raises(UsageError, match="sums over 3 channels; a kernels file holds 2-D kernels, use @FILE instead"):
        add_entry("mine", f"@{tmp_path / 'conv.npy'}")
    with pytest.raises(UsageError, match="has 16512 taps; a kernels file lists at most 16384, use @FILE instead"):
        add_entry("mine", f"@{tmp_path / 'large.npy'}")


def test_an_entry_that_would_break_a_bank_of_the_file_is_refused() -> None:
    add_entry("one", "1 2")
    user_file().write_text(user_file().read_text("utf-8") + '\n[banks.mine]\nkernels = ["one"]\n', "utf-8")
    before = user_file().read_bytes()
    with pytest.raises(UsageError, match=r"banks\.mine: member 'one' is a bank"):
        add_entry("one", "sobel", replace=True)
    assert user_file().read_bytes() == before


def test_a_broken_file_is_left_as_it_is() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text("[kernels.a\n", "utf-8")
    with pytest.raises(UsageError, match="not valid TOML"):
        add_entry("mine", "1 2")
    assert user_file().read_text("utf-8") == "[kernels.a\n"


def test_the_file_is_replaced_whole_with_its_mode_through_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "kernels.toml"
    real.parent.mkdir()
    real.write_text("# mine\n", "utf-8")
    real.chmod(0o600)
    user_file().parent.mkdir(parents=True)
    user_file().symlink_to(real)
    add_entry("mine", "1 2")
    assert user_file().is_symlink() and "mine" in real.read_text("utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert [path.name for path in real.parent.iterdir()] == ["kernels.toml"]


def test_a_new_file_follows_the_umask() -> None:
    before = os.umask(0o027)
    try:
        add_entry("mine", "1 2")
    finally:
        os.umask(before)
    assert stat.S_IMODE(user_file().stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_created_is_reported(config_home: Path) -> None:
    config_home.write_text("a file where a folder belongs", "utf-8")
    with pytest.raises(UsageError, match="cannot write this kernels file"):
        add_entry("mine", "1 2")


def test_processes_that_add_at_the_same_time_lose_nothing(config_home: Path) -> None:
    code = "import sys; from imgconv.registry import add_entry; add_entry(sys.argv[1], '1 0 -1')"
    processes = [subprocess.Popen([sys.executable, "-c", code, f"mine{number}"]) for number in range(12)]
    assert [process.wait(60) for process in processes] == [0] * 12
    assert {f"mine{number}" for number in range(12)} <= set(Registry.load().names())


def test_an_entry_is_removed_and_everything_else_stays() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(BEFORE, "utf-8")
    add_entry("two", "1 1; 1 1 / 4")
    assert remove_entry("both") == user_file()
    remove_entry("two")
    text = user_file().read_text("utf-8")
    assert "rows = [[1, 2,   3]]   # kept as it is" in text and "both" not in text and "two" not in text
    for name in ("two", "sobel"):
        with pytest.raises(UsageError, match=f"no kernel or bank '{name}'"):
            remove_entry(name)


def test_a_kernel_that_a_bank_needs_is_not_removed() -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(BEFORE, "utf-8")
    with pytest.raises(UsageError, match="kernel 'one' is unknown"):
        remove_entry("one")
    assert user_file().read_text("utf-8") == BEFORE
