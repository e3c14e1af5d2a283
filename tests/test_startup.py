"""Nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest
from command import PHOTO, imgconv

HEAVY = ("numpy", "numba", "llvmlite", "PIL", "rich.progress", "tifffile", "imagecodecs", "matplotlib", "torch")


def modules_after(code):
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nsys.stderr.write(chr(10).join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr.split())


def command(*words):
    return f"sys.argv = {['imgconv', *words]!r}; from imgconv.cli.app import main; main()"


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("edge", "--help"), ("pool", "--help"), ("kernels", "--help")])
def test_help_loads_nothing_heavy(words):
    assert modules_after(command(*words)).isdisjoint(HEAVY)


def test_import_costs_nothing():
    assert modules_after("import imgconv").isdisjoint(HEAVY)


@pytest.mark.parametrize("typed", [("edge",), ("pool", "--size", "3", "--stride", "1", "--padding", "same")])
def test_a_warm_command_imports_no_compiler_and_no_network(typed, tmp_path):
    words = (*typed, str(PHOTO), "-o", str(tmp_path / "e.png"), "-q")
    assert imgconv(*words).code == 0
    loaded = modules_after(command(*words))
    assert loaded.isdisjoint({"numba", "rich", "matplotlib", "tifffile", "imagecodecs", "decimal"})
    assert loaded.isdisjoint(
        {f"imgconv.{name}" for name in ("recipe.operations", "functional.conv", "loops.layers", "images.animation", "process.bands")}
    )


def completed(words):
    """What completion offers, and the modules that it imports."""
    env = {"_IMGCONV_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = f"import os; os.environ.update({env!r}); sys.argv = ['imgconv']; from imgconv.cli.app import main; main()"
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nsys.stderr.write(chr(10).join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split()), set(done.stderr.split())


def test_kernel_names_complete():
    words, _ = completed("imgconv edge -k lapl")
    assert {"laplacian4", "laplacian8", "laplacian9", "laplacian_diag"} <= words


def test_operations_of_steps_complete():
    words, modules = completed("imgconv run -s max")
    assert words == {"max_pool"}
    assert modules.isdisjoint(HEAVY)
