"""Kernels files: what an entry may contain, how an invalid one is reported, and which file comes before which."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgconv.errors import UsageError
from imgconv.registry import Bank, Kernel, Registry, builtin_file, user_file
from imgconv.registry.entries import SectionedEntries, read_entries


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def load(tmp_path: Path, text: str) -> Registry:
    return Registry.load(written(tmp_path / "mine.toml", text))


def taps(registry: Registry, name: str) -> list[list[float]]:
    actual = registry.get(name)
    assert isinstance(actual, Kernel)
    return actual.taps.tolist()


STEP = "[kernels.step]\nrows = [[-1, 1]]\n"


def test_every_key_of_an_entry(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        """
        [kernels.mine]
        description = "two"
        rows = [[1, 2], [3, 4.5]]
        divisor = 4
        offset = 12
        anchor = [1, 0]
        range = "offset"
        source = "me"
        tags = ["a", "b"]
        [kernels.product]
        column = [1, 2]
        row = [3, 4]
        [kernels.wide]
        generator = "gaussian"
        parameters = { sigma = 3, size = 5 }
        [banks.pair]
        kernels = ["mine", "product", "gaussian:sigma=2"]
        [banks.turned]
        kernel = "sobel_x"
        rotations = 4
        combine = "max"
        """,
    )
    mine = registry.get("mine")
    assert isinstance(mine, Kernel)
    assert (mine.divisor, mine.offset, mine.anchor, mine.range) == (4, 12, (1, 0), "offset")
    assert (mine.description, mine.source, mine.tags) == ("two", "me", ("a", "b"))
    assert taps(registry, "product") == [[3, 4], [6, 8]]
    pair, turned = registry.get("pair"), registry.get("turned")
    assert isinstance(pair, Bank) and isinstance(turned, Bank)
    assert [member.name for member in pair.kernels] == ["mine", "product", "gaussian-sigma-2"] and pair.combine == "none"
    assert [member.name for member in turned.kernels][1:] == [f"sobel_x-angle-{45 * n}" for n in (1, 2, 3)]
    assert registry.get("wide", {"sigma": 1}).name == "wide-sigma-1"


def test_without_a_range_the_sum_decides(tmp_path: Path) -> None:
    registry = load(tmp_path, STEP + "[kernels.sum]\nrows = [[1, 1]]\n")
    assert (registry.get("step").range, registry.get("sum").range) == ("abs", "clip")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "x: unknown section; entries are [kernels.NAME] or [banks.NAME]"),
        ("kernels = 3", "kernels: must be a table; write [kernels.NAME]"),
        ("kernels.a = 3", "kernels.a: must be a table"),
        ('[kernels."a b"]\nrows = [[1]]', "kernels.a b: bad name; use up to 64 ASCII letters"),
        ("[kernels.a]", "kernels.a: none given; give exactly one of rows"),
        ('[kernels.a]\nrows = [[1]]\ngenerator = "box"', "kernels.a: rows and generator given"),
        ("[kernels.a]\ncolumn = [1]", "column and row go together"),
        ("[kernels.a]\nrow = [1]", "none given"),
        ("[kernels.a]\nrows = [[1, 2], [3]]", "kernels.a: rows are ragged: row 1 has 2 numbers, row 2 has 1"),
        ("[kernels.a]\nrows = [[1, nan]]", "rows must be finite numbers; correct those in row 1"),
        ('[kernels.a]\nrows = [[1], ["x"]]', "in row 2"),
        ("[kernels.a]\nrows = [[true]]", "in row 1"),
        (f"[kernels.a]\nrows = [[1{'0' * 400}]]", "in row 1"),
        ("[kernels.a]\nrows = []", "rows must be rows of numbers"),
        ("[kernels.a]\nrows = [[]]", "rows must be rows of numbers"),
        ("[kernels.a]\nrows = [1, 2]", "rows must be rows of numbers"),
        ("[kernels.a]\ncolumn = []\nrow = [1]", "column must be a list of 1 to 1024"),
        ("[kernels.a]\nrows = [[1]]\ndivisor = 0", "divisor must be a finite number other than 0, not 0"),
        ("[kernels.a]\nrows = [[1]]\noffset = inf", "offset must be a finite number, not inf"),
        ("[kernels.a]\nrows = [[1]]\nanchor = [0, 1]", "anchor [0, 1] lies outside its 1x1 taps"),
        ("[kernels.a]\nrows = [[1]]\nanchor = 3", "anchor must be [row, column]"),
        ('[kernels.a]\nrows = [[1]]\nrange = "loud"', "range must be one of clip, abs, offset, minmax, raw, not 'loud'"),
        ("[kernels.a]\nrows = [[1]]\nrange = []", "range must be one of"),
        ("[kernels.a]\nrows = [[1]]\ntags = 'x'", "tags must be a list of strings"),
        ("[kernels.a]\nrows = [[1]]\nsource = 1", "source must be a string, not 1"),
        ("[kernels.a]\nrows = [[1]]\ncolour = 1", "kernels.a: unknown key 'colour'; allowed are rows, column"),
        ("[kernels.a]\nrows = [[1]]\nparameters = {}", "parameters need a generator"),
        ('[kernels.a]\ngenerator = "gauss"', "generator must be one of box, binomial"),
        ('[kernels.a]\ngenerator = "box"\nparameters = 3', "parameters must be a table"),
        ('[kernels.a]\ngenerator = "box"\nparameters = { sigma = 1 }', "kernels.a: no parameter 'sigma'; it takes size"),
        ('[kernels.a]\ngenerator = "box"\nparameters = { size = 0 }', "kernels.a: size must be a whole number from 1 to 1024, not 0"),
        ('[kernels.a]\ngenerator = "box"\nparameters = { size = "3" }', "size must be a whole number from 1 to 1024, not '3'"),
        ("[banks.a]", "banks.a: none given; give exactly one of kernels"),
        ("[banks.a]\nkernels = []", "kernels must be a list of 1 to 256 kernel names"),
        ("[banks.a]\nkernels = [3]", "kernels must be the name of a kernel, not 3"),
        ('[banks.a]\nkernels = ["box:size"]', "kernels has an invalid kernel"),
        ('[banks.a]\nkernels = ["sobelx"]', "banks.a: kernel 'sobelx' is unknown; nearest: sobel_x"),
        ('[banks.a]\nkernels = ["sobel"]', "banks.a: member 'sobel' is a bank; list its kernels instead"),
        ('[banks.a]\nkernels = ["a"]', "banks.a: member 'a' is a bank"),
        ('[banks.a]\nkernels = ["b"]\n[banks.b]\nkernels = ["a"]', "banks.a: member 'b' is a bank"),
        ('[banks.a]\nkernels = ["box:size=0"]', "banks.a: size must be a whole number"),
        ('[banks.a]\nkernels = ["box:sigma=1"]', "banks.a: no parameter 'sigma'; it takes size"),
        ('[banks.a]\nkernel = "sobel_x"', "kernel and rotations go together"),
        ('[banks.a]\nkernel = "sobel_x"\nrotations = 9', "rotations must be from 2 to 8, not 9"),
        ('[banks.a]\nkernel = "roberts_x"\nrotations = 8', "banks.a: no parameter 'angle'; roberts_x takes none"),
        ('[banks.a]\nkernels = ["box"]\ncombine = "mean"', "combine must be one of none, hypot, max, sum, projection"),
        ('[banks.a]\nkernels = ["box"]\ncombine = "projection"', "subspace goes with combine"),
        ('[banks.a]\nkernels = ["box"]\ncombine = "projection"\nsubspace = 1', "subspace 1 must be less than"),
        ('[banks.a]\ngenerator = "box"', "generator must be one of laws"),
        (STEP + '[banks.step]\nkernels = ["box"]', "banks.step: a kernel of the same file has this name"),
        ("[kernels.a\nrows = 1", "not valid TOML: expected ']' at the end of a table declaration (at line 1"),
        ("[kernels.a]\nrows = [[1]]\nrows = [[2]]\n\n", "not valid TOML: cannot overwrite a value (at line 3"),
        ("a = " + "[" * 5000, "not valid TOML: nested too deeply"),
        ("a = " + "1" * 5000, "not valid TOML"),
    ],
)
def test_broken_files_name_file_entry_and_remedy(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'mine.toml'}: ") and "\n" not in message and len(message) < 400


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, text in ((tmp_path, "is a directory"), (tmp_path / "none.toml", "no such file"), (Path("a\0b"), "null byte")):
        with pytest.raises(UsageError, match=f"cannot read this kernels file .*{text}"):
            Registry.load(path)
    (tmp_path / "latin.toml").write_bytes(b"# \xe4\n")
    with pytest.raises(UsageError, match="byte 2 is not UTF-8"):
        Registry.load(tmp_path / "latin.toml")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + STEP.replace("\n", "\r\n").encode())
    assert taps(Registry.load(tmp_path / "mine.toml"), "step") == [[-1, 1]]


def test_later_files_shadow_earlier_ones_and_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def text(value: int, own: str) -> str:
        return f"[kernels.box]\nrows = [[{value}]]\n[kernels.{own}]\nrows = [[0]]\n"

    assert taps(Registry.load(), "box") == [[1, 1, 1]] * 3
    written(user_file(), text(2, "of_user"))
    assert taps(Registry.load(), "box") == [[2]]
    monkeypatch.setenv("IMGCONV_KERNELS", str(written(tmp_path / "env.toml", text(3, "of_env"))))
    assert taps(Registry.load(), "box") == [[3]]
    registry = Registry.load(written(tmp_path / "option.toml", text(4, "of_option")))
    assert taps(registry, "box") == [[4]]
    entries = {entry.name: entry for entry in registry.entries()}
    assert {"of_user", "of_env", "of_option"} <= set(entries) and len(registry.names()) == len(entries)
    assert (entries["box"].origin, entries["box"].shadows) == ("--kernels-file", "IMGCONV_KERNELS")
    assert (entries["of_user"].origin, entries["of_user"].shadows, entries["of_user"].file) == ("user", "", user_file())
    assert entries["sobel"].origin == "built-in" and entries["sobel"].file == builtin_file()


def test_a_bank_keeps_its_members_when_they_are_shadowed(tmp_path: Path) -> None:
    """A built-in bank is built from built-in kernels; a bank of a later file from that file's own."""
    own = '[kernels.sobel_x]\nrows = [[-1, 1]]\n[banks.mine]\nkernels = ["sobel_x", "sobel_y"]\n'
    registry = load(tmp_path, own)
    mine, sobel = registry.get("mine"), registry.get("sobel")
    assert isinstance(mine, Bank) and isinstance(sobel, Bank)
    assert [member.kernel_size for member in mine.kernels] == [(1, 2), (3, 3)]
    assert [member.kernel_size for member in sobel.kernels] == [(3, 3), (3, 3)]


def test_a_bank_may_hide_a_kernel(tmp_path: Path) -> None:
    registry = load(tmp_path, '[banks.sobel_x]\nkernels = ["box", "sobel_y"]\n')
    assert isinstance(registry.get("sobel_x"), Bank) and isinstance(registry.get("sobel"), Bank)


def test_a_missing_file_of_the_environment_is_an_error_one_of_the_user_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not user_file().exists() and Registry.load().names()
    monkeypatch.setenv("IMGCONV_KERNELS", "/none/kernels.toml")
    with pytest.raises(UsageError, match=r"/none/kernels\.toml: cannot read"):
        Registry.load()
    monkeypatch.setenv("IMGCONV_KERNELS", "")
    assert Registry.load().names()


def test_the_users_file_is_in_the_configuration_folder(config_home: Path) -> None:
    assert user_file() == config_home / "imgconv" / "kernels.toml"


def test_the_built_in_file_is_valid_as_a_whole(tmp_path: Path) -> None:
    """At start-up only the entries that are used are checked."""
    whole = read_entries(builtin_file(), "built-in")
    assert dict(SectionedEntries(builtin_file(), "built-in")) == whole
    (tmp_path / "windows.toml").write_bytes(builtin_file().read_bytes().replace(b"\n", b"\r\n"))
    assert list(SectionedEntries(tmp_path / "windows.toml", "built-in")) == list(whole)
    Registry([whole]).check_banks()


def test_a_dotted_key_of_very_many_parts_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dotted key"):
        load(tmp_path, "a" + ".a" * 40_000 + " = 1\n")


def test_names_are_listed_and_completed_without_numpy() -> None:
    use = "r = Registry.load(); assert 'sobel' in r.names(); r.entries()"
    code = f"import sys; from imgconv.registry import Registry; {use}; print('numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


LONG = {
    "parts of a key": "a" + ".a" * 8 + " = 1\n",
    "parts of a quoted key": "'a'" + ' . "a"' * 8 + " = 1\n",
    "parts of a table": "[a" + ".a" * 8 + "]\n",
    "parts in an inline table": "a = { b" + ".b" * 40_000 + " = 1 }\n",
    "tables": "".join(f"[t{n}]\n" for n in range(20_001)),
    "dotted keys": "".join(f"k{n}.a = 1\n" for n in range(20_001)),
    "bytes": "# " + "x" * (4 << 20),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_file_whose_text_or_keys_would_take_gigabytes_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml.*(more than (8 parts|20000 tables|20000 dotted keys)|has more than 4194304 bytes)"):
        load(tmp_path, text)


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(UsageError, match="/dev/zero has more than"):
        Registry.load(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["a" * (1 << 20), "'" * (1 << 20), "a." * (1 << 19), "a " * (1 << 19), "[" * (1 << 19)])
def test_keys_are_counted_in_linear_time(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):  # minutes, if the time grew with the square of the length
        load(tmp_path, text)


def test_dots_in_strings_are_not_parts_of_keys(tmp_path: Path) -> None:
    source = "https://www.a.b.c.d.e.f.g.h.i/j.k.l.m.n.o.p, = a.b.c.d.e.f.g.h.i.j.k"
    assert taps(load(tmp_path, f'[kernels.step]\nrows = [[-1.5, 1.25]]\nsource = "{source}"\n'), "step") == [[-1.5, 1.25]]
