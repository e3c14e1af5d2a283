"""`python -m imgconv`. Python puts the working folder first among the folders of modules; a folder of images has none for imgconv."""

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
