"""Calls that are made a few items ahead: in order, with the errors of the function, also where no thread can start."""

import threading

import pytest

from imgconv.ahead import in_order


@pytest.fixture(params=[0, 1, None], ids=["no thread", "one thread", "any threads"])
def threads(request, monkeypatch):
    """Let so many threads start, as under a limit on processes."""
    started, start = [], threading.Thread.start

    def limited(self):
        if request.param is not None and len(started) >= request.param:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    return started


@pytest.mark.parametrize("ahead", [None, 0, 1])
def test_results_are_in_the_order_of_the_items(threads, ahead):
    assert list(in_order(lambda number: number**2, range(50), threads=3, ahead=ahead)) == [number**2 for number in range(50)]


def test_the_error_of_an_item_comes_at_its_turn(threads):
    results = in_order(lambda number: 1 // number, [1, 1, 0, 1], threads=2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not any(thread.is_alive() for thread in threads)


def test_no_more_items_are_submitted_than_are_ahead(threads):
    submitted_items = []
    results = in_order(str, (submitted_items.append(number) or number for number in range(20)), threads=1, ahead=2)
    assert (next(results), submitted_items) == ("0", [0, 1, 2])
    results.close()
    assert not any(thread.is_alive() for thread in threads)
