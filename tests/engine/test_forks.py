"""A child that is forked while another thread imports, compiles or loads a loop works on its own and does not hang."""

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no forks")

FORKS = """
import os, sys, threading, time
import numpy as np
from imgconv import conv2d, max_pool2d
image, kernel = np.ones((1, 3, 20, 21), np.float32), np.ones((2, 3, 3, 3), np.float32)

def first_loops():
    for dtype in (np.float32, np.float64):
        conv2d(image.astype(dtype), kernel.astype(dtype), padding=1)
        max_pool2d(image.astype(dtype), 3, 1)

thread = threading.Thread(target=first_loops)
thread.start()
codes = []
while thread.is_alive() or len(codes) < 3:
    child = os.fork()
    if not child:
        os._exit(7 if max_pool2d(image, 2).sum() == 300 and conv2d(image, kernel).max() == 27 else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    time.sleep(0.05)
print(set(codes))
"""


@pytest.mark.parametrize("state", ["compiled", "loaded"])
def test_a_child_forked_while_a_loop_is_made_ready(sandbox, state):
    if state == "loaded":
        run(FORKS.replace("while thread.is_alive() or len(codes) < 3:", "while not codes:"), sandbox)
    assert run(FORKS, sandbox) == "{7}\n"


def run(script, sandbox):
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], env=sandbox.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        return process.communicate(timeout=100)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # the child that hangs, too
            process.wait()
