"""Print one of the README's two commands: `run` or `test`."""

import re
import sys
from pathlib import Path

text = (Path(__file__).parents[1] / "README.md").read_text()
match = re.search(rf"<!-- command: {re.escape(sys.argv[1])} -->\n```sh\n(.*?)```", text, re.DOTALL)
if match is None:
    sys.exit(f"the README has no command named {sys.argv[1]!r}")
sys.stdout.write(match[1])
