"""How many cores this process may use: its affinity, and the quota of the control groups it runs in (containers, batch systems).

Memory that images may take: how much there is, and how much each one at work has been promised.

Turns to compute, for more threads than there are workers: one that has only to wait for the disk gives its turn to another.
"""

import ctypes
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from imgconv.errors import ImageError


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


PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
USUAL = 1 << 26  # bytes: what fits anywhere is not worth a look at how much there is


class Memory:
    """What the images of a run may take together: an image that does not fit beside those at work waits for them."""

    def __init__(self, budget: int | None = None):
        self._budget = budget
        self._changed = threading.Condition()
        self._promised: list[int] = []

    @contextmanager
    def reserved(self, need: int, about: str) -> Iterator[None]:
        """Hold `need` bytes while an image is worked on, waiting until others have left enough.

        Raises ImageError, which names `about`, where even alone it does not fit.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._promised or sum(self._promised) + need <= self._total())
            if not self._promised and need > USUAL:
                self._refuse(need, about)
            self._promised.append(need)
        try:
            yield
        finally:
            with self._changed:
                self._promised.remove(need)
                self._changed.notify_all()

    def _total(self) -> int:
        if self._budget is None:
            self._budget = available() or 1 << 62
        return self._budget

    def _refuse(self, need: int, about: str) -> None:
        there = available()
        if there is not None and need > there:
            room = f"needs about {_told(need)} of memory, and {_told(there)} are available"
            raise ImageError(f"{about} {room}; use a smaller image, or fewer maps at once")


def reuse_freed() -> None:
    """Let glibc keep what one image has left for the next, rather than give it back and have it again page by page.

    Measured 2026-11-20 on 60 photographs of 1920x1440: 16,000 page faults for 97,000, and a seventh of all time.
    """
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 26)
        mallopt(_M_TRIM_THRESHOLD, 1 << 28)


def available(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """Bytes that this process can still take: of the machine, of its control groups, and of its own limit; None where nobody says."""
    limits = [_of_machine(proc), _of_limit(proc), *_of_groups(proc, groups)]
    return min((limit for limit in limits if limit is not None), default=None)


def _of_machine(proc: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_limit(proc: Path) -> int | None:
    """What `ulimit -v` leaves."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError):
        return max(0, limit - int((proc / "self" / "statm").read_text().split()[0]) * resource.getpagesize())
    return limit


def _of_groups(proc: Path, groups: Path) -> Iterator[int]:
    """What each control group of this process, version 2 or 1, and those around it leave. File cache that can be dropped is free."""
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                root = groups / controllers
                inner = root / path.lstrip("/")
                for folder in (inner, *(parent for parent in inner.parents if parent.is_relative_to(root))):
                    left = _of_group(folder, *_FILES[controllers])
                    if left is not None:
                        yield left


_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _of_group(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    with suppress(OSError, ValueError):  # "max" is no number, and means no limit
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(statistics.get(cache, 0)))
    return None


def _told(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


class Turns:
    """As many turns as there are workers. A thread holds one at most."""

    def __init__(self, workers: int = 1):
        self._free = threading.Semaphore(workers)
        self._mine = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a turn, once one is free, to the end of the block or until it is given back."""
        self._free.acquire()
        self._mine.held = True
        try:
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Let another thread compute. What little is left to do is done without a turn: to wait for one would hold up a finished file."""
        if getattr(self._mine, "held", False):
            self._mine.held = False
            self._free.release()
