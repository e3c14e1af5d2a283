"""The CPU cores and the memory that this process may use, within the limits of its control groups, and how a run shares them."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from imgconv.errors import ImageError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SMALL = 1 << 26  # bytes; less is never refused, so that the available memory need not be read
NUMBA_BYTES = 140 * 10**6  # of address space: importing Numba and compiling a first loop took 126 MB on 2026-11-30, with scipy's BLAS
THREAD_BYTES = 80 << 20  # of address space: 8 MB of stack, and the 64 MB that glibc reserves for what a thread allocates
_TOTAL, _DATA = 0, 5  # fields of /proc/self/statm, in pages
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h


@cache
def _own_quota() -> int | None:
    return cpu_quota()


def usable_cores() -> int:
    """Return the cores of the affinity mask, or of the machine, but at most the CPU quota of the control groups; at least 1."""
    cores: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _own_quota()
    return cores if quota is None else max(1, min(cores, quota))


def cpu_quota(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return the smallest CPU quota of this process's control groups, rounded up to whole cores; None without a quota."""
    return min(_limits("cpu", _group_quota, proc, cgroups), default=None)


def available_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return the bytes that this process can still allocate, or None if unknown.

    This is the minimum of the machine's free memory, the limits of the control groups, and `ulimit -v` or `-d`.
    """
    limits = [_free_memory(proc), _free_address_space(proc), *_limits("memory", _group_memory, proc, cgroups)]
    return min((limit for limit in limits if limit is not None), default=None)


def require_address_space(size: int) -> None:
    """Raise MemoryError where `ulimit -v` or `-d` leaves less than `size` bytes."""
    free = _free_address_space(PROC)
    if free is not None and free < size:
        raise MemoryError


def affordable_threads(threads: int) -> int:
    """Return how many of `threads` threads `ulimit -v` or `-d` allows next to compiling; all of them without a limit.

    One that gets too little memory for its first steps ends without a word, and whoever started it waits for ever.
    """
    free = _free_address_space(PROC)
    return threads if free is None else max(0, min(threads, (free - NUMBA_BYTES) // THREAD_BYTES))


class Memory:
    """The memory that the images of a run share: an image that does not fit next to the ones in progress waits for them."""

    def __init__(self, budget: int | None = None):
        """A budget in bytes; the memory that is available at the first reservation, if None."""
        self._budget = budget
        self._changed = threading.Condition()
        self._reserved: list[int] = []

    @contextmanager
    def reserved(self, size: int, about: str) -> Iterator[None]:
        """Reserve `size` bytes for the block; wait until other reservations leave room for it.

        Raises ImageError, which names `about`, if the size exceeds the available memory even without other reservations.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._reserved or sum(self._reserved) + size <= self._total())
            if not self._reserved and size > SMALL:
                _check_fits(size, about)
            self._reserved.append(size)
        try:
            yield
        finally:
            with self._changed:
                self._reserved.remove(size)
                self._changed.notify_all()

    def _total(self) -> int:
        if self._budget is None:
            self._budget = available_memory() or 1 << 62
        return self._budget


class CpuSlots:
    """A semaphore with a slot for each worker, for a run with more threads than workers. A thread holds one slot at most.

    A thread that only waits for the disk releases its slot early, so that another thread can compute.
    """

    def __init__(self, slots: int = 1):
        self._semaphore = threading.Semaphore(slots)
        self._thread = threading.local()

    @contextmanager
    def acquired(self) -> Iterator[None]:
        """Wait for a slot and hold it until the block ends or the thread calls `release`."""
        self._semaphore.acquire()
        self._thread.has_slot = True
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Release this thread's slot. The thread does not wait for another one: what remains to be done takes little time."""
        if getattr(self._thread, "has_slot", False):
            self._thread.has_slot = False
            self._semaphore.release()


def reuse_freed_memory() -> None:
    """Make glibc keep freed memory for the next image instead of returning it to the system.

    Measured 2026-11-20 on 60 photographs of 1920x1440: 16,000 page faults instead of 97,000, and a seventh less time.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 26)
        mallopt(_M_TRIM_THRESHOLD, 1 << 28)


def limit_freed_memory() -> None:
    """Make glibc keep 32 MB of freed memory for the next band, return the rest, and share two arenas among threads.

    Measured 2026-11-30 by bands on 30,000 x 30,000 RGB, deflated, with a Gaussian of sigma 5: 19,000 page faults and 218 MB at most; where
    every array of 1 MB was returned at once, 1,340,000 page faults and 212 MB.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 1 << 24)
        mallopt(_M_TRIM_THRESHOLD, 1 << 25)


def _limits(controller: str, read: Callable[[Path], int | None], proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield the limit that `read` finds in each folder of this process's control groups, from the innermost to the root.

    `proc/self/cgroup` lists the groups in lines such as `0::/user.slice/run` (version 2) or `4:cpu,cpuacct:/docker/1f`
    (version 1). In a container the path may be the host's while the group is mounted at the root, so the root always counts.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = cgroups / controller if controllers else cgroups
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            with suppress(OSError, ValueError):  # "max" means no limit and is not a number
                limit = read(mount.joinpath(*parts[:depth]))
                if limit is not None:
                    yield limit


def _group_quota(folder: Path) -> int | None:
    """Read a control group's CPU quota, rounded up to whole cores: `cpu.max` in version 2, `cpu.cfs_quota_us` in version 1."""
    if os.path.exists(folder / "cpu.max"):
        quota, period = map(int, (folder / "cpu.max").read_text().split())
    else:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return -(-quota // period) if quota > 0 and period > 0 else None


def _group_memory(folder: Path) -> int:
    """Read how many bytes a control group leaves. File cache that the system can drop counts as free."""
    is_version_2 = os.path.exists(folder / "memory.max")
    limit, usage = ("max", "current") if is_version_2 else ("limit_in_bytes", "usage_in_bytes")
    statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    inactive = int(statistics.get("inactive_file" if is_version_2 else "total_inactive_file", 0))
    return max(0, int((folder / f"memory.{limit}").read_text()) - int((folder / f"memory.{usage}").read_text()) + inactive)


def _free_memory(proc: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _free_address_space(proc: Path) -> int | None:
    """Return what `ulimit -v` and `ulimit -d` leave."""
    if resource is None:
        return None
    kinds = [(resource.RLIMIT_AS, _TOTAL), (resource.RLIMIT_DATA, _DATA)]
    limits = {field: limit for kind, field in kinds if (limit := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY}
    if not limits:
        return None
    with suppress(OSError, ValueError):
        pages = [int(count) for count in (proc / "self" / "statm").read_text().split()]
        return max(0, min(limit - pages[field] * resource.getpagesize() for field, limit in limits.items()))
    return min(limits.values())


def _check_fits(size: int, about: str) -> None:
    available = available_memory()
    if available is not None and size > available:
        raise ImageError(
            f"{about} needs about {readable_size(size)} of memory, and {readable_size(available)} are available; "
            "use a smaller image, or fewer maps at once"
        )


def readable_size(size: int) -> str:
    """Return a number of bytes as messages show it."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
