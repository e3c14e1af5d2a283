"""Commands as processes that are watched, disturbed, or run by another user than root."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from command import PHOTO, message_in
from command_server import server

ROOT = Path(__file__).parents[1]
IMGCONV = [sys.executable, "-m", "imgconv"]

# An ordinary user may not be allowed to read the interpreter that root runs: the command server has imported all of imgconv, and readers
# and loops are loaded by commands on two samples of different formats, before the process gives up its rights.
AS_USER = """
import os, sys, warnings
from imgconv.cli.app import main

def call(*words):
    sys.argv = ["imgconv", *words]
    try:
        main()
    except SystemExit as leaving:
        return leaving.code

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork while threads run, from CPython 3.12 on
call("edge", {samples[0]!r}, "-o", {made!r}, "-q")
call("edge", *{samples!r}, {samples[0]!r} + ".missing", "-o", {made!r}, "-q")
account = None
if {user!r} == "nobody":
    import pwd
    account = pwd.getpwnam("nobody")
for folder, words in {commands!r}:
    sys.stderr.write("--\\n")
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.chdir(folder)
        if account:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        sys.exit(call(*words))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def environment(**more):
    """This process's environment, with this imgconv first on Python's path, and standard streams buffered as they usually are."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**usual, "PYTHONPATH": str(ROOT), **more}


def limited_environment(**more):
    """The environment of a process that may write little to a file: Python 3.11 would cut the bytecode of this checkout short there."""
    return environment(PYTHONDONTWRITEBYTECODE="1", **more)


@contextmanager
def started(*words, **options):
    """`imgconv` with these words as a running process, which is gone when the block ends."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = {**streams, "preexec_fn": _heed_hangups, **options}
    process = subprocess.Popen([*IMGCONV, *map(str, words)], env=environment(), **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _heed_hangups():
    """Where tests run under nohup, this process ignores them, and so would one that it starts."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for(condition, seconds=60):
    """Wait until `condition()` is true; fail if it takes longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def finished(process, seconds=60):
    """Exit code, standard output and standard error of a process, which must end by itself."""
    out, err = process.communicate(timeout=seconds)
    text = message_in(err)
    assert "Traceback" not in text, text
    return process.returncode, out, text


def without_progress(err):
    """The lines of standard error that do not depend on how fast the machine is: slow runs report what they have done so far."""
    return [line for line in err.splitlines() if not re.fullmatch(r"\d+ of \d+ images, .* left", line)]


def names(folder):
    """The names in a folder, sorted."""
    return sorted(path.name for path in Path(folder).iterdir())


def many(folder, count, image=PHOTO):
    """A new folder of `count` images 000.jpg, 001.jpg, ...: one file under many names."""
    folder.mkdir()
    first = shutil.copy(image, folder / "000.jpg")
    for number in range(1, count):
        (folder / f"{number:03}.jpg").hardlink_to(first)
    return folder


def let_in(folder):
    """Let other users pass through the folders above a test's own, which pytest closes to them."""
    for path in (folder, *folder.parents):
        mode = path.stat().st_mode
        if path.stat().st_uid == os.geteuid() and not mode & 0o001:
            path.chmod(mode | 0o011)


def users():
    """Whom to run commands as: this user, and when that is root an ordinary one as well."""
    return ["root", "nobody"] if os.geteuid() == 0 else ["self"]


def run_as(user, folder, *words):
    """Run `imgconv` in a folder as one of `users()`: exit code and standard error."""
    (result,) = run_all_as(user, folder, [(folder, words)])
    return result


def run_all_as(user, folder, commands):
    """Run commands, each a folder and the words of `imgconv` in it, as one of `users()`: exit code and standard error of each."""
    samples = [str(PHOTO), str(ROOT / "sample_images" / "step_wedge.png")]
    texts = [(str(place), list(map(str, words))) for place, words in commands]
    script = AS_USER.format(samples=samples, made=str(folder / ".made"), user=user, commands=texts)
    code, out = server().run_script(script, folder, environment(), timeout=180)
    assert code == 0, out
    _, *results = message_in(out).split("--\n")
    assert "Traceback" not in "".join(results), results
    errors_and_codes = [re.fullmatch(r"(.*?)(-?\d+)\n", result, re.DOTALL).groups() for result in results]
    return [(int(code), error) for error, code in errors_and_codes]
