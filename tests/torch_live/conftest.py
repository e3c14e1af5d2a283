"""These tests compare with torch: without it they are not collected, rather than passed over one by one."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
