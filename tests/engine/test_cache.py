"""Entries that cannot be trusted are rebuilt and never loaded; a cache that cannot be written costs time and one warning."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from imgconv.atomic import PART_SUFFIX
from imgconv.engine import cache, compiled

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
FOREIGN = 65534  # nobody


def flip(entry, place):
    content = bytearray(entry.read_bytes())
    content[place] ^= 1
    entry.write_bytes(content)


def link(entry):
    entry.rename(entry.with_name("elsewhere"))
    entry.symlink_to("elsewhere")


def fifo(entry):
    entry.unlink()
    os.mkfifo(entry)


DAMAGES = {
    "missing": lambda entry: entry.unlink(),
    "empty": lambda entry: entry.write_bytes(b""),
    "header only": lambda entry: entry.write_bytes(entry.read_bytes()[:79]),
    "truncated": lambda entry: entry.write_bytes(entry.read_bytes()[:-1]),
    "extended": lambda entry: entry.write_bytes(entry.read_bytes() + b"\0"),
    "bit of the magic": lambda entry: flip(entry, 3),
    "bit of the key": lambda entry: flip(entry, 20),
    "bit of the checksum": lambda entry: flip(entry, 60),
    "bit of the code": lambda entry: flip(entry, -100),
    "writable by all": lambda entry: entry.chmod(0o606),
    "writable by the group": lambda entry: entry.chmod(0o620),
    "symbolic link": link,
    "fifo": fifo,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_rebuilt(sandbox, damage):
    assert sandbox.compiles() == 1
    damage(sandbox.entry())
    assert sandbox.compiles() == 1
    assert stat.S_IMODE(sandbox.entry().lstat().st_mode) == 0o600
    assert sandbox.compiles() == 0


def test_an_entry_under_the_name_of_another_is_rebuilt(sandbox):
    sandbox.compiles(dtype="f4")
    name = sandbox.entry().name
    sandbox.entry().unlink()
    sandbox.compiles(dtype="i2")
    other = sandbox.entry().read_bytes()
    (sandbox.loops / name).write_bytes(other)
    (sandbox.loops / name).chmod(0o600)
    assert sandbox.compiles(dtype="f4") == 1
    assert (sandbox.loops / name).read_bytes() != other


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_is_emptied_and_closed(sandbox, mode):
    sandbox.compiles()
    (sandbox.loops / "planted-0.loop").write_bytes(b"")
    sandbox.loops.chmod(mode)
    assert sandbox.compiles() == 1
    assert stat.S_IMODE(sandbox.loops.stat().st_mode) == 0o700
    assert sandbox.entry().name.startswith("add-")


def test_a_folder_that_is_a_symbolic_link_is_neither_read_nor_written(sandbox):
    sandbox.compiles()
    real = sandbox.loops.rename(sandbox.loops.with_name("real"))
    sandbox.loops.symlink_to(real)
    before = sandbox.entry().stat().st_mtime_ns
    assert [sandbox.compiles(), sandbox.compiles()] == [1, 1]
    assert sandbox.entry().stat().st_mtime_ns == before


@pytest.mark.parametrize("what", ["entry", "folder"])
def test_files_of_another_user_are_not_loaded(sandbox, what, monkeypatch):
    sandbox.compiles()
    if os.geteuid() == 0:
        os.chown(sandbox.entry() if what == "entry" else sandbox.loops, FOREIGN, FOREIGN)
    else:  # an ordinary user cannot give a file away, but be somebody else
        monkeypatch.setattr(os, "geteuid", lambda: FOREIGN)
    assert sandbox.compiles() == 1


def test_a_new_store_is_closed_to_others_whatever_the_umask(sandbox):
    before = os.umask(0)
    try:
        sandbox.compiles()
    finally:
        os.umask(before)
    assert stat.S_IMODE(sandbox.loops.stat().st_mode) == 0o700
    assert stat.S_IMODE(sandbox.entry().stat().st_mode) == 0o600


def test_another_key_finds_nothing(sandbox):
    cache.write("add", KEY, b"code")
    assert cache.read("add", KEY) == b"code"
    assert cache.read("add", OTHER) is None
    assert cache.read("other", KEY) is None


def test_a_cache_below_a_file_costs_time_only(sandbox, monkeypatch):
    (sandbox.folder / "file").write_text("")
    monkeypatch.setenv("IMGCONV_CACHE", str(sandbox.folder / "file" / "cache"))
    assert [sandbox.compiles(), sandbox.compiles()] == [1, 1]
    assert "loop add: " in compiled.problems()[-1] and str(sandbox.folder / "file") in compiled.problems()[-1]


def test_a_read_only_cache_costs_time_only(sandbox):
    user = FOREIGN if os.geteuid() == 0 else os.geteuid()  # root may write everywhere, and becomes somebody else once all is imported
    imports = "import os, tempfile, platformdirs; from imgconv.engine import cache"
    attempt = f"try:\n    cache.write('add', {KEY!r}, b'')\nexcept PermissionError as error:\n    print(error.filename)"
    code = f"{imports}\nos.setuid({user})\n{attempt}"
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own folders are closed to others
        loops = Path(reachable) / "loops"
        loops.parent.chmod(0o755)
        loops.mkdir(mode=0o500)
        os.chown(loops, user, -1)
        environment = {**sandbox.environment, "IMGCONV_CACHE": reachable}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert str(loops) in done.stdout
        assert not list(loops.iterdir())


def test_a_full_disk_costs_time_only_and_leaves_nothing(sandbox):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
    report = sandbox.run(limit, PYTHONDONTWRITEBYTECODE="1")  # Python 3.11 would cut bytecode short
    assert (report["right"], report["compiled"], report["cached"]) == (True, 1, 0)
    assert not [*sandbox.loops.glob("*.loop"), *sandbox.loops.glob("*.part")]


def test_without_a_home_loops_are_compiled_in_memory(sandbox, monkeypatch):
    monkeypatch.delenv("IMGCONV_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda user: {}[user])  # a user that the system does not know, as in many containers
    monkeypatch.chdir(sandbox.folder)
    assert cache.location() is None
    assert (sandbox.compiles(), cache.count()) == (1, 0)
    assert not (sandbox.folder / "~").exists()


def test_the_store_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("IMGCONV_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in cache.location().parents


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_unfinished_files_of_killed_processes_are_removed(sandbox):
    sandbox.compiles()
    young, old = sandbox.loops / f"young{PART_SUFFIX}", sandbox.loops / f"old{PART_SUFFIX}"
    for file in (young, old):
        file.write_bytes(b"half")
    age(old, 7200)
    sandbox.compiles(dtype="i2")
    assert old.exists()  # the folder is searched once a day
    age(sandbox.loops / "swept", cache.DAY + 60)
    sandbox.compiles(dtype="i4")
    assert (young.exists(), old.exists()) == (True, False)


def test_entries_that_nothing_has_used_for_90_days_are_removed(sandbox):
    for name, days in (("unused", 91), ("rare", 89), ("daily", 0.5), ("used", 91)):
        cache.write(name, KEY, b"code")
        age(cache._path(sandbox.loops, name, KEY, cache.LOOP), days * cache.DAY)  # the private name is that of the file
    age(sandbox.loops / "swept", cache.DAY + 60)
    before = time.time()
    assert cache.read("daily", KEY) == b"code"
    assert len(list(sandbox.loops.glob("*.loop"))) == 4  # nothing is written or removed
    assert cache.read("used", KEY) == b"code"
    names = {path.name.partition("-")[0]: path.stat().st_mtime for path in sandbox.loops.glob("*.loop")}
    assert set(names) == {"rare", "daily", "used"}
    assert names["used"] >= before - 1 and names["daily"] < before - cache.DAY / 3


def test_compiling_is_announced_once_until_the_cache_is_emptied(sandbox):
    assert [cache.is_first_announcement() for _ in range(3)] == [True, False, False]
    shutil.rmtree(sandbox.loops)
    assert [cache.is_first_announcement() for _ in range(2)] == [True, False]
    sandbox.loops.chmod(0o777)  # a folder that others could write is emptied
    assert [cache.is_first_announcement() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_folders_above_that_others_can_write_are_not_trusted(sandbox, mode):
    """Others could put a folder of their own in the place of the cache; in a sticky folder they cannot."""
    is_sticky = bool(mode & stat.S_ISVTX)
    assert sandbox.compiles() == 1
    sandbox.loops.parent.parent.chmod(mode)
    report = sandbox.run()
    assert report["compiled"] == (0 if is_sticky else 1)
    assert is_sticky or str(sandbox.loops.parent.parent) in " ".join(report["problems"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_parent_folders_of_another_user_are_not_trusted(sandbox):
    assert sandbox.compiles() == 1
    os.chown(sandbox.loops.parent.parent, FOREIGN, -1)
    assert sandbox.compiles() == 1
