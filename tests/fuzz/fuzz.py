"""Fuzz one target for some seconds: `python tests/fuzz/fuzz.py TARGET SECONDS`, with atheris (`pip install -e '.[fuzz]'`).

What ends in anything but a result or an error for people, takes longer than SLOW or more memory than LARGE, is left as a file in
`tests/data/fuzz/TARGET`, from where `test_findings.py` replays it for ever, and the exit code is not 0.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

SLOW, LARGE = 20, 1500  # seconds for one input, MB for the process
READERS = ["imgconv", "PIL", "tomllib"]  # packages whose branches guide the fuzzer
ROOT = Path(__file__).parents[2]
LOOPS = [f"imgconv.loops.{path.stem}" for path in (ROOT / "imgconv" / "loops").glob("*.py")]  # Numba reads their code


def main() -> None:
    """Fuzz what the command line says."""
    sys.path[0] = str(ROOT / "tests")
    target, seconds = sys.argv[1:]
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=READERS, exclude=LOOPS):
        targets = import_module("fuzz.targets")
    targets.watch_warnings()
    seeds = import_module("fuzz.seeds")
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(seeds.seeds(target)):
        (corpus / f"{number:04}").write_bytes(seed)
    findings = seeds.FINDINGS / target
    findings.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-rss_limit_mb={LARGE}", f"-max_len={seeds.MOST_BYTES}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={findings}/", "-print_final_stats=1", str(corpus)], targets.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
