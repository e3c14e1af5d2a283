"""A real Firefox that tests steer through Marionette, its own remote protocol: no driver and no library."""

import json
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager

KEYS = {"End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}


@contextmanager
def browsing_in_firefox(folder):
    """A tab of a Firefox that keeps its profile in `folder`; fails where there is no Firefox."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    assert program, "firefox is not installed"
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\nuser_pref("app.update.enabled", false);\n')
    words = [program, "--headless", "--no-remote", "--marionette", "--profile", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with closing(_connected(port)) as connection:
            yield FirefoxTab(connection)
    finally:
        process.kill()
        process.wait()


def _connected(port, seconds=60):
    limit = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=seconds)
        except ConnectionRefusedError:
            assert time.monotonic() < limit, "firefox does not answer"
            time.sleep(0.1)


class FirefoxTab:
    """One tab, with those methods of `browser.Page` that the tests of both browsers need."""

    def __init__(self, connection):
        self._stream, self._number = connection.makefile("rwb"), 0
        self._read()
        self._call("WebDriver:NewSession", capabilities={})

    def visit(self, path):
        """Load a file."""
        self._call("WebDriver:Navigate", url=path.absolute().as_uri())

    def value(self, expression):
        """What a line of JavaScript gives; promises are waited for."""
        script = f"const done = arguments[arguments.length - 1]; Promise.resolve({expression}).then((value) => done({{ value }}));"
        return self._call("WebDriver:ExecuteAsyncScript", script=script, args=[], sandbox=None)["value"]["value"]

    def press(self, key):
        """Press a key, and let go of it."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
        self._act(type="key", id="keyboard", actions=actions)

    def drag(self, start, end):
        """Move the mouse from one place to another, (x, y) in pixels of the window, with its button down."""
        moves = [{"type": "pointerMove", "duration": 0, "origin": "viewport", "x": round(x), "y": round(y)} for x, y in (start, end)]
        button = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act(type="pointer", id="mouse", parameters={"pointerType": "mouse"}, actions=[moves[0], button[0], moves[1], button[1]])

    def _act(self, **source):
        self._call("WebDriver:PerformActions", actions=[source])

    def resize(self, width, height):
        """Give the window another size."""
        self._call("WebDriver:SetWindowRect", width=width, height=height)

    def _call(self, command, **parameters):
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._stream.write(f"{len(text)}:".encode() + text)
        self._stream.flush()
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def _read(self):
        digits = b""
        while (digit := self._stream.read(1)) != b":":
            assert digit, "firefox has ended"
            digits += digit
        return json.loads(self._stream.read(int(digits)))
