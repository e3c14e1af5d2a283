"""A real Chromium that tests steer through its DevTools pipe: no driver and no library, and no network."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from contextlib import contextmanager

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"]
KEYS = {"Tab": 9, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


@contextmanager
def browsing(folder):
    """A page of a Chromium that keeps its profile in `folder`; fails where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "chromium is not installed"
    (reads, commands), (answers, writes) = _pipe(), _pipe()
    words = [program, *OPTIONS, f"--user-data-dir={folder}"]
    script = f'exec "$@" 3<&{reads} 4>&{writes}'  # the two that Chromium uses
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["bash", "-c", script, "bash", *words], pass_fds=(reads, writes), **quiet)
    os.close(reads)
    os.close(writes)
    try:
        yield Page(commands, answers)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)


def _pipe():
    """Read and write end, with descriptors that nothing else uses."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


class Page:
    """One tab. `received` collects its events."""

    def __init__(self, commands, answers):
        self._commands, self._answers, self._number, self._rest = commands, answers, 0, b""
        self._session, self.received = {}, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Send a command and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.received.append(answer)

    def visit(self, place):
        """Load a file or an address; seconds until it is there with all its images."""
        self.received.clear()
        started = time.perf_counter()
        self.call("Page.navigate", url=place if isinstance(place, str) else place.absolute().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.received):
            self.received.append(self._read())
        return time.perf_counter() - started

    def value(self, expression):
        """What a line of JavaScript gives; promises are waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key):
        """Press a key, and let go of it."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def write(self, text):
        """Type where the focus is."""
        self.call("Input.insertText", text=text)

    def drag(self, start, end):
        """Move the mouse from one place to another, (x, y) in pixels of the window, with its button down."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def resize(self, width, height):
        """Give the window another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def colours(self, scheme):
        """Prefer light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path, part=None):
        """Write what is seen, or the first element that a selector `part` finds, to a PNG file."""
        clip = {}
        if part:
            box = self.value(f"(({{ x, y, width, height }}) => [x + scrollX, y + scrollY, width, height])({_box(part)})")
            clip = {"captureBeyondViewport": True, "clip": {**dict(zip(("x", "y", "width", "height"), box, strict=True)), "scale": 1}}
        path.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"]))

    def events(self, method):
        """The parameters of all events of one kind since the last visit."""
        self.call("Runtime.evaluate", expression="0")  # what was said before this has come by then
        return [event["params"] for event in self.received if event["method"] == method]

    def _read(self, seconds=60):
        while b"\0" not in self._rest:
            assert select.select([self._answers], [], [], seconds)[0], "the browser says nothing"
            self._rest += os.read(self._answers, 1 << 20)
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


def _box(selector):
    return f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
