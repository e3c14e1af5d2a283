"""Run one command in a process of its own and print what its images were estimated to take, and what they took: `python measured_memory.py
SMALL LARGE COMMAND...`. `{}` in the command stands for the input.

The command first runs on SMALL, a tiny image of the same kind, so that all libraries are loaded before the measurement begins.
"""

import contextlib
import io
import sys
from pathlib import Path

from imgconv.cli.app import command_line
from imgconv.system import Memory


def of_process(field: str) -> int:
    """A field of /proc/self/status in bytes: VmRSS, what is resident, or VmHWM, the most that was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def run(words: list[str], file: str) -> None:
    """Run a command on `file` in this process."""
    sys.argv = ["imgconv", *(word.replace("{}", file) for word in words)]
    with contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            code = command_line(sys.argv[1:])(standalone_mode=False)
        except SystemExit as leaving:
            code = leaving.code
    if code:
        sys.exit(f"{' '.join(sys.argv)}: {err.getvalue()}")


def main() -> None:
    """Print the estimate and the measurement in bytes."""
    small, large, *words = sys.argv[1:]
    estimates: list[int] = []
    reserved = Memory.reserved

    def recorded(self: Memory, size: int, about: str) -> contextlib.AbstractContextManager[None]:
        estimates.append(size)
        return reserved(self, size, about)

    Memory.reserved = recorded  # type: ignore[method-assign]
    run(words, small)
    estimates.clear()
    Path("/proc/self/clear_refs").write_text("5")
    before = of_process("VmRSS")
    run(words, large)
    sys.stdout.write(f"{max(estimates)} {of_process('VmHWM') - before}\n")


if __name__ == "__main__":
    main()
