"""Measure every line of the table in one run, and write it into README.md beside this file.

python benchmarks/run.py           all of it, some five minutes
python benchmarks/run.py images  one group, printed and not written

Run it with an interpreter that has imgconv and the peers: opencv-python-headless, scikit-image, torch, scipy. What is not installed is
said to be so.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import breadth
import commands
import images
import layers
from measure import SECONDS, Line, Result, measure

README = Path(__file__).parent / "README.md"
START, END = "<!-- table: written by run.py -->", "<!-- end of table -->"
HEAD = "| what | ours | peer | peer's | times as fast | goal | |\n|---|---|---|---|---|---|---|"
PEERS = ("numpy", "numba", "opencv-python-headless", "scikit-image", "torch", "scipy", "pillow")
GROUPS = ("images", "breadth", "layers", "commands")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all of them by default")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each line")
    parser.add_argument("--dry-run", action="store_true", help="print the whole table, write nothing")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(unknown)}; choose from {', '.join(GROUPS)}")
    groups = options.groups or GROUPS
    with tempfile.TemporaryDirectory() as folder:
        text = "\n\n".join(section(group, Path(folder), options.seconds) for group in groups)
    text = f"{machine()}\n\n{text}"
    print(text)
    if not options.dry_run and set(groups) == set(GROUPS):
        before, _, rest = README.read_text().partition(START)
        README.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}")


def section(group: str, folder: Path, seconds: float) -> str:
    """One table, and what is judged over all of its lines."""
    if group == "images":
        return f"### Images of 12 megapixels\n\n{table(images.lines(), seconds)[0]}"
    if group == "breadth":
        return f"### Alpha, floats, medians and windows of any shape, on one thread\n\n{table(breadth.lines(), seconds)[0]}"
    if group == "layers":
        text, results = table(layers.lines(), seconds)
        mean = layers.geometric_mean(results)
        judged = "torch is not installed" if mean is None else f"{mean:.2f} times as fast, goal {layers.MEAN}{mark(mean >= layers.MEAN)}"
        return f"### Layers\n\n{text}\n\nGeometric mean of the convolutions: {judged}."
    text, _ = table(commands.lines(folder), seconds)
    rows = [
        f"| {found.name} | {found.measured:.3g} {found.unit} | {found.limit:.3g} {found.unit} |{mark(found.measured <= found.limit)} |"
        for found in commands.limits(folder)
    ]
    return "\n".join(["### Whole commands\n", text, "", "| limit | measured | at most | |", "|---|---|---|---|", *rows])


def table(lines: Iterable[Line], seconds: float) -> tuple[str, list[Result]]:
    """Measured lines, as text and as numbers; each is told on stderr as soon as it is known."""
    rows, results = [HEAD], []
    for line in lines:
        results.append(measure(line, seconds))
        rows.append(row(results[-1]))
        sys.stderr.write(rows[-1] + "\n")
    return "\n".join(rows), results


def row(result: Result) -> str:
    line = result.line
    goal = "" if line.goal is None else f"{line.goal:.2g}"
    if result.ratio is None or result.theirs is None:
        return f"| {line.name} | {result.ours * 1e3:.3g} ms | {line.peer} | not installed | | {goal} | |"
    times = f"{result.ours * 1e3:.3g} ms | {line.peer} | {result.theirs * 1e3:.3g} ms | {result.ratio:.2f}"
    return f"| {line.name} | {times} | {goal} |{mark(result.is_met)} |"


def mark(is_met: bool | None) -> str:
    return "" if is_met is None else " met" if is_met else " **missed**"


def machine() -> str:
    """What the figures hold for, and how busy the machine was."""
    words = " ".join(Path(word).name if "/" in word else word for word in sys.argv)
    load = f", load average {os.getloadavg()[1]:.1f} over the last five minutes" if hasattr(os, "getloadavg") else ""
    runtime = f"{platform.system()}, Python {platform.python_version()}, {versions()}"
    return f"`python benchmarks/{words}` on {cpu()}, {cores()} cores{load}, {runtime}."


def cpu() -> str:
    """The processor's name and how wide its registers are."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    text = info.read_text()
    name = re.search(r"model name\s*: (.*)", text)
    width = next((word for word in ("avx512f", "avx2") if word in text), "")
    return f"{name[1] if name else platform.machine()} {width}".strip()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> str:
    known = []
    for name in PEERS:
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            known.append(f"{name} not installed")
    return ", ".join(known)


if __name__ == "__main__":
    main()
