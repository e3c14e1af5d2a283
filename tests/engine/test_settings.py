"""The key of a loop covers every setting of Numba, wherever it comes from."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from imgconv.engine import settings
{first}
before = settings.described()
settings.load_numba(); import numba
{then}
print(before == settings.described())
"""


@pytest.mark.parametrize(
    ("first", "then", "is_same"),
    [
        ("", "", True),
        ("", "numba.config.OPT = 1", False),
        ("", "numba.config.BOUNDSCHECK = 1", False),
        ("", "import os; os.environ['NUMBA_LOOP_VECTORIZE'] = '0'", False),
        ("import os; open('.numba_config.yaml', 'w').close()", "", False),
        ("import os; open('.numba_config.yaml', 'w').close(); settings.ignore_working_folder()", "", True),
        ("import sys; finders = [*sys.meta_path]; settings.ignore_working_folder()", "assert sys.meta_path == finders", True),
    ],
)
def test_settings_of_a_loaded_numba(tmp_path, first, then, is_same):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "yaml.py").write_text("def safe_load(file): return {'boundscheck': 1}")
    paths = os.pathsep.join([str(tmp_path / "modules"), *sys.path])
    code = SCRIPT.format(first=first, then=then)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(is_same)


def test_a_setting_that_numba_refuses_is_one_line(tmp_path):
    code = "import numpy, imgconv; imgconv.pool(numpy.zeros((9, 9)), 5, 'median')"
    environment = {**os.environ, "NUMBA_NUM_THREADS": "0", "NUMBA_DISABLE_JIT": "0", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    message = "numba cannot be imported (number of threads specified must be > 0); correct the environment variables NUMBA_*"
    assert done.stderr.splitlines()[-1] == f"imgconv.errors.ImgconvError: {message}" and "cannot be cached" not in done.stderr
