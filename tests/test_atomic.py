"""Files are written whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from imgconv.atomic import atomic_write, replace_file


def test_a_new_file_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new.png") as stream:
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
    with atomic_write(link) as stream:
        stream.write(b"new")
        assert target.read_bytes() == b"old"
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_whole_and_nothing_else_is_there(tmp_path, error):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as stream:
        stream.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_complete(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    script = f"""
        import sys, time
        from pathlib import Path
        from imgconv.atomic import atomic_write
        with atomic_write(Path({str(path)!r})) as stream:
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
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with atomic_write(Path({str(tmp_path / "out.png")!r})) as stream:
                stream.write(bytes(100_000))
        except OSError as error:
            print(error.strerror)
    """
    (tmp_path / "out.png").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_pipes_are_written_to_and_survive(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        with atomic_write(pipe) as stream:
            stream.write(b"through")
        assert reader.communicate(timeout=10)[0] == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_long_names_fit(tmp_path):
    path = tmp_path / ("x" * 246 + ".png")
    with atomic_write(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert time.time() - path.stat().st_mtime < 60


def test_a_symbolic_link_itself_is_replaced_with_the_mode_asked_for(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replace_file(link, mode=0o600) as stream:
        stream.write(b"new")
    assert not link.is_symlink() and target.read_bytes() == b"old"
    assert stat.S_IMODE(link.stat().st_mode) == 0o600


def test_a_forked_child_leaves_temporary_files_of_its_parent_alone(tmp_path):
    script = f"""
        import os
        from pathlib import Path
        from imgconv import atomic
        with atomic.atomic_write(Path({str(tmp_path / "out")!r})) as stream:
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
    with atomic_write(tmp_path / "out") as stream:
        stream.write(b"whole")
    assert (tmp_path / "out").read_bytes() == b"whole"
