"""`python -m imgconv`."""

from imgconv.cli.app import program

program()
