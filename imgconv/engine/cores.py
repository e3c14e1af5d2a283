"""How many cores this process may use: its affinity, and the quota of the control groups it runs in (containers, batch systems)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path


def usable_cores() -> int:
    """Cores of this process's affinity mask, or of the machine, but no more than its control groups' quota rounded up; at least 1."""
    affinity: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _own_quota()
    return affinity if quota is None else max(1, min(affinity, quota))


@cache
def _own_quota() -> int | None:
    return cgroup_quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))


def cgroup_quota(membership: Path, root: Path) -> int | None:
    """The smallest quota, in whole cores, of the groups that the file `membership` names under `root` and of those around them.

    Reads `cpu.max` of control groups version 2 and `cpu.cfs_quota_us` of version 1; None where none limits.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    quotas = [quota for line in lines for folder in _folders(line, root) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _folders(line: str, root: Path) -> Iterator[Path]:
    """The folders of a line like `0::/user.slice/run` or `4:cpu,cpuacct:/docker/1f`, from the innermost group to the root.

    In a container the path may be the host's and the group itself be mounted at the root, which is therefore always among them.
    """
    _, _, membership = line.partition(":")
    controllers, _, path = membership.partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return
    mount = root / "cpu" if controllers else root
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _quota(folder: Path) -> int | None:
    with suppress(OSError, ValueError):  # "max" is no number either
        quota, period = (folder / "cpu.max").read_text().split()
        return _whole_cores(int(quota), int(period))
    with suppress(OSError, ValueError):
        return _whole_cores(int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text()))
    return None


def _whole_cores(quota: int, period: int) -> int | None:
    return -(-quota // period) if quota > 0 and period > 0 else None
