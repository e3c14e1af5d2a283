"""Files are written whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from processes import limited_environment, names

from imgconv.access import PRIVATE, Access
from imgconv.atomic import atomic_write, replace_file
from imgconv.inputs import Inputs


def test_a_new_file_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new.png", Inputs()) as stream:
            stream.write(b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "new.png").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    target.chmod(0o604)
    link.symlink_to(target)
    with atomic_write(link, Inputs()) as stream:
        stream.write(b"new")
        assert target.read_bytes() == b"old"
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_whole_and_nothing_else_is_there(tmp_path, error):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path, Inputs()) as stream:
        stream.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_while_the_temporary_file_is_made_leaves_none(tmp_path, monkeypatch):
    opened = os.open

    def interrupted(*arguments):
        os.close(opened(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "new.png", Inputs()):
        raise AssertionError("it has no file")
    assert names(tmp_path) == []


def test_a_killed_writer_leaves_the_old_file_complete(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    script = f"""
        import sys, time
        from pathlib import Path
        from imgconv.atomic import atomic_write
        from imgconv.inputs import Inputs
        with atomic_write(Path({str(path)!r}), Inputs()) as stream:
            stream.write(b"half")
            stream.flush()
            print("written", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.read_bytes() == b"old"
    left = [each.name for each in tmp_path.iterdir() if each != path]
    assert all(name.startswith(".") and name.endswith(".imgconv-part") for name in left)


def test_a_full_disk_keeps_the_old_file(tmp_path):
    script = f"""
        import resource, signal
        from pathlib import Path
        from imgconv.atomic import atomic_write
        from imgconv.inputs import Inputs
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with atomic_write(Path({str(tmp_path / "out.png")!r}), Inputs()) as stream:
                stream.write(bytes(100_000))
        except OSError as error:
            print(error.strerror)
    """
    (tmp_path / "out.png").write_bytes(b"old")
    words = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(words, env=limited_environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_pipes_are_written_to_and_survive(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        with atomic_write(pipe, Inputs()) as stream:
            stream.write(b"through")
        assert reader.communicate(timeout=10)[0] == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_long_names_fit(tmp_path):
    path = tmp_path / ("x" * 246 + ".png")
    with atomic_write(path, Inputs()) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert time.time() - path.stat().st_mtime < 60


def test_a_symbolic_link_itself_is_replaced_with_the_given_mode(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replace_file(link, Access(PRIVATE), Inputs()) as stream:
        stream.write(b"new")
    assert not link.is_symlink() and target.read_bytes() == b"old"
    assert stat.S_IMODE(link.stat().st_mode) == 0o600


def test_a_forked_child_leaves_temporary_files_of_its_parent_alone(tmp_path):
    script = f"""
        import os
        from pathlib import Path
        from imgconv import atomic
        from imgconv.inputs import Inputs
        with atomic.atomic_write(Path({str(tmp_path / "out")!r}), Inputs()) as stream:
            child = os.fork()
            if child == 0:
                atomic.abandon()
                os._exit(0)
            os.waitpid(child, 0)
            stream.write(b"whole")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=30)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_a_file_system_without_fsync_is_written_to(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_write(tmp_path / "out", Inputs()) as stream:
        stream.write(b"whole")
    assert (tmp_path / "out").read_bytes() == b"whole"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("failing", ["fsync", "open", "replace"])
def test_an_error_names_the_output_and_not_a_hidden_file(tmp_path, monkeypatch, failing, number):
    def fail(*names, **_):
        raise OSError(number, os.strerror(number), *map(str, names[:1]))

    with monkeypatch.context() as patch:
        if failing == "replace":
            patch.setattr(type(tmp_path), "replace", fail)
        else:
            patch.setattr(os, failing, fail)
        with pytest.raises(OSError, match=r"out\.png") as caught, atomic_write(tmp_path / "out.png", Inputs()) as stream:
            stream.write(b"whole")
    assert caught.value.errno == number and ".imgconv-part" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_reaches_a_pipe_before_the_contents_are_complete(tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    path = next(folder for folder in (Path("/proc/self/fd"), Path("/dev/fd")) if folder.is_dir()) / str(writing)
    with pytest.raises(ValueError, match="meanwhile"), atomic_write(path, Inputs()) as stream:
        stream.write(b"half")
        raise ValueError("meanwhile")
    with atomic_write(path, Inputs()) as stream:
        stream.write(b"whole")
        with pytest.raises(BlockingIOError):
            os.read(reading, 9)
    assert os.read(reading, 9) == b"whole"
    for descriptor in (reading, writing):
        os.close(descriptor)


@pytest.mark.parametrize("waits", [True, False])
def test_more_than_a_pipe_holds_is_written(waits):
    reading, writing = os.pipe()
    os.set_blocking(writing, waits)
    contents, received = os.urandom(1 << 20), bytearray()

    def read():
        while len(received) < len(contents):
            received.extend(os.read(reading, 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    with atomic_write(Path(f"/dev/fd/{writing}"), Inputs()) as stream:
        stream.write(contents)
    reader.join(20)
    assert bytes(received) == contents
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_a_descriptor_of_a_file_is_written_at_its_place(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        log.write(b"before ")
        log.flush()
        with atomic_write(Path(f"/dev/fd/{log.fileno()}"), Inputs()) as stream:
            stream.write(b"contents")
        log.write(b" after")
    assert (tmp_path / "log").read_bytes() == b"before contents after"
    assert names(tmp_path) == ["log"]


def test_a_closed_descriptor_is_named():
    with pytest.raises(OSError, match="/dev/fd/987"), atomic_write(Path("/dev/fd/987"), Inputs()) as stream:
        stream.write(b"contents")
