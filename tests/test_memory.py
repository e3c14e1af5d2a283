"""How much memory there is, and who waits for it."""

import threading

import pytest

from imgconv.errors import ImageError
from imgconv.system import Memory, available


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


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
def test_what_is_available(tmp_path, files, expected):
    write(tmp_path, files)
    assert available(tmp_path / "proc", tmp_path / "cg") == expected


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
    with memory.reserved(30, "third fits beside the first"):
        order.append("third begins")
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["third begins", "first done", "second begins"]


def test_one_that_is_too_large_for_the_budget_is_tried_alone():
    with Memory(budget=100).reserved(5000, "an image"):
        pass
    with (
        pytest.raises(ImageError, match=r"an image needs about 1\d+\.\d GB of memory, and .* are available"),
        Memory().reserved(10**14, "an image"),
    ):
        pass
