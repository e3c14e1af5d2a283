"""`python -m imgconv`."""

from imgconv.cli.app import main

main()
