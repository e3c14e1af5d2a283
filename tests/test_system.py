"""CPU quotas, memory limits and the objects that share them, read from trees of files like those of Linux."""

import threading

import pytest

from imgconv import system
from imgconv.errors import ImageError
from imgconv.system import NUMBA_BYTES, THREAD_BYTES, CpuSlots, Memory, affordable_threads, available_memory, cpu_quota, usable_cores

QUOTAS = {
    "no limit": ("0::/run", {"run/cpu.max": "max 100000"}, None),
    "two cores": ("0::/run", {"run/cpu.max": "200000 100000"}, 2),
    "a part is rounded up": ("0::/run", {"run/cpu.max": "150000 100000"}, 2),
    "less than one": ("0::/run", {"run/cpu.max": "5000 100000"}, 1),
    "the parent's is smaller": ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),
    "in a container": ("0::/docker/1f", {"cpu.max": "300000 100000"}, 3),
    "outside of the mount": ("0::/../other", {"cpu.max": "300000 100000"}, 3),
    "version 1": (
        "5:memory:/m\n4:cpu,cpuacct:/job",
        {"cpu/job/cpu.cfs_quota_us": "250000", "cpu/job/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1"},
        3,
    ),
    "version 1 without limit": ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "another controller's": ("5:cpuset:/job", {"job/cpu.max": "100000 100000"}, None),
    "not a number": ("0::/run", {"run/cpu.max": "lots"}, None),
    "no period": ("0::/run", {"run/cpu.max": "100000 0"}, None),
    "broken list": ("what?\n0::/run", {"run/cpu.max": "100000 100000"}, 1),
    "no groups": ("", {}, None),
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(("membership", "files", "quota"), QUOTAS.values(), ids=QUOTAS)
def test_cpu_quota(tmp_path, membership, files, quota):
    write(tmp_path / "cg", files)
    write(tmp_path, {"proc/self/cgroup": membership + "\n"})
    assert cpu_quota(tmp_path / "proc", tmp_path / "cg") == quota


def test_no_control_groups_at_all(tmp_path):
    assert cpu_quota(tmp_path / "proc", tmp_path / "cg") is None


def test_at_least_one_core_is_usable():
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    "files, expected",
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 900 kB\nMemAvailable:   500 kB\n"}, 500 * 1024),
        (
            {
                "proc/meminfo": "MemAvailable: 999999 kB\n",
                "proc/self/cgroup": "0::/user/run\n",
                "cg/user/memory.max": "1000000\n",
                "cg/user/memory.current": "700000\n",
                "cg/user/memory.stat": "anon 5\ninactive_file 100000\n",
                "cg/user/run/memory.max": "max\n",
                "cg/user/run/memory.current": "5\n",
                "cg/user/run/memory.stat": "anon 5\n",
            },
            400_000,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/1f\n3:cpu:/\n",
                "cg/memory/memory.limit_in_bytes": "5000",
                "cg/memory/memory.usage_in_bytes": "3000",
                "cg/memory/memory.stat": "total_inactive_file 500\n",
            },
            2500,
        ),
    ],
)
def test_available_memory(tmp_path, files, expected):
    write(tmp_path, files)
    assert available_memory(tmp_path / "proc", tmp_path / "cg") == expected


@pytest.mark.parametrize(("free", "threads"), [(None, 4), (10**12, 4), (NUMBA_BYTES + 2 * THREAD_BYTES, 2), (NUMBA_BYTES, 0), (0, 0)])
def test_threads_that_a_limit_of_the_address_space_allows(monkeypatch, free, threads):
    monkeypatch.setattr(system, "_free_address_space", lambda proc: free)  # a limit of this process would remain for the other tests
    assert affordable_threads(4) == threads


def test_images_wait_until_there_is_room():
    memory, order = Memory(budget=100), []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with memory.reserved(70, "first"):
            inside.set()
            leave.wait(10)
            order.append("first done")

    def second():
        with memory.reserved(50, "second"):
            order.append("second begins")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    with memory.reserved(30, "third fits next to the first"):
        order.append("third begins")
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["third begins", "first done", "second begins"]


def test_an_image_above_the_budget_runs_alone():
    with Memory(budget=100).reserved(5000, "an image"):
        pass
    with (
        pytest.raises(ImageError, match=r"an image needs about 1\d+\.\d GB of memory, and .* are available"),
        Memory().reserved(10**14, "an image"),
    ):
        pass


def test_a_released_slot_goes_to_another_thread():
    slots, second_ran = CpuSlots(1), threading.Event()

    def second():
        with slots.acquired():
            second_ran.set()

    with slots.acquired():
        thread = threading.Thread(target=second)
        thread.start()
        assert not second_ran.wait(0.05)
        slots.release()
        slots.release()  # a thread without a slot has nothing to release
        assert second_ran.wait(10)
    thread.join(10)
    with slots.acquired():
        pass
