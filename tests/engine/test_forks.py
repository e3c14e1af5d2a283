"""A child that is forked while another thread imports, compiles or loads a loop works on its own and does not hang."""

import os
import re
import signal
import subprocess
import sys

import pytest
from command import PHOTO
from processes import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no forks")

FORKS = """
import os, sys, threading, time
import numpy as np
from imgconv import max_pool2d, min_pool2d  # whose loops for indices compile fast
image = np.ones((1, 3, 20, 21), np.float32)

def first_loops():
    for dtype in (np.float32, np.float64):
        max_pool2d(image.astype(dtype), 2, return_indices=True)
        min_pool2d(image.astype(dtype), 2, return_indices=True)

thread = threading.Thread(target=first_loops)
thread.start()
codes = []
while thread.is_alive() or len(codes) < 3:
    child = os.fork()
    if not child:
        largest, smallest = (call(image, 2, return_indices=True)[0] for call in (max_pool2d, min_pool2d))
        os._exit(7 if largest.sum() == smallest.sum() == 300 else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    time.sleep(0.05)
print(set(codes))
"""


@pytest.mark.parametrize("state", ["compiled", "loaded"])
def test_a_child_forked_while_a_loop_is_prepared(sandbox, state):
    if state == "loaded":
        run(FORKS.replace("while thread.is_alive() or len(codes) < 3:", "while not codes:"), sandbox)
    assert run(FORKS, sandbox) == "{7}\n"


def run(script, sandbox, *words):
    command = [sys.executable, "-W", "ignore", "-c", script, *words]
    options = {"env": sandbox.environment, "cwd": sandbox.folder, "start_new_session": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    try:
        return process.communicate(timeout=100)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # the child that hangs, too
            process.wait()


FIRST_CALL = """
import os, sys, threading, time
import imgconv

def first_call():
    imgconv.edge(sys.argv[1])

thread = threading.Thread(target=first_call)
thread.start()
begun = sys.argv[2]
while thread.is_alive() and begun not in sys.modules:
    time.sleep(0.001)
child = os.fork()
if not child:
    first_call()
    os._exit(7)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
thread.join()
print(code)
"""


@pytest.mark.parametrize("begun", ["imgconv.api", "PIL.Image", "imgconv.engine.compiled", "numba", "numba.core.typing"])
def test_a_child_forked_while_modules_are_imported(sandbox, begun):
    assert run(FIRST_CALL, sandbox, str(PHOTO), begun) == "7\n"


PROPERTY = """
import os, threading
from imgconv.platforms import cached_property
inside, leave = threading.Event(), threading.Event()

class Owner:
    @cached_property
    def value(self):
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            leave.wait(60)
        return 7

thread = threading.Thread(target=lambda: Owner().value)
thread.start()
inside.wait(60)
child = os.fork()
if not child:
    owner = Owner()
    os._exit(owner.value if owner.value is owner.value else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
leave.set()
thread.join()
print(code)
"""


def test_a_child_forked_while_a_property_is_computed(sandbox):
    assert run(PROPERTY, sandbox) == "7\n"


def test_no_module_uses_the_property_with_a_lock():
    for path in (ROOT / "imgconv").rglob("*.py"):
        assert path.name == "platforms.py" or not re.search(r"from functools import .*cached_property", path.read_text()), path


def test_a_fork_waits_for_no_import_that_never_ends(sandbox):
    script = """
import os, sys, threading
from imgconv.engine import forks
forks.PATIENCE = 0.2
open("endless.py", "w").write("import threading; begun.set(); threading.Event().wait(60)")
begun = __builtins__.begun = threading.Event()
sys.path.insert(0, ".")
threading.Thread(target=__import__, args=("endless",), daemon=True).start()
begun.wait(60)
child = os.fork()
if not child:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
    assert run(script, sandbox) == "7\n"
