"""Run `python -m imgconv`: modules in the working folder, which Python would import first, are ignored."""

import os
import sys
from pathlib import Path

try:
    folder = os.getcwd()  # noqa: PTH109  before anything else is imported
except OSError:  # it was removed
    folder = ""
if sys.path and sys.path[0] == folder != str(Path(__file__).parent.parent):
    del sys.path[0]

from imgconv.cli.app import program

program()
