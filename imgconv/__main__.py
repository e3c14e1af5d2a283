"""`python -m imgconv`. Python puts the working folder first among the folders of modules; a folder of images has none for imgconv."""

import os
import sys
from pathlib import Path

if sys.path and sys.path[0] == os.getcwd() != str(Path(__file__).parent.parent):  # noqa: PTH109  before anything else is imported
    del sys.path[0]

from imgconv.cli.app import program

program()
