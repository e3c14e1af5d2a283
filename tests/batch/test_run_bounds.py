"""How far ahead of its outcomes a run goes."""

from pathlib import Path, PurePath

from imgconv.batch.destinations import Destination
from imgconv.batch.job import Job
from imgconv.batch.run import EXTRA_THREADS, run_sources
from imgconv.batch.sources import Source
from imgconv.recipe import filter_recipe


class Counted(list):
    """Sources that count how many of them were taken."""

    taken_count = 0

    def __iter__(self):
        for each in super().__iter__():
            self.taken_count += 1
            yield each


def test_no_more_is_begun_than_a_few_for_each_worker(tmp_path):
    sources = Counted(Source(tmp_path / f"{n}.png", PurePath(f"{n}.png")) for n in range(500))
    job = Job(filter_recipe(["identity"]), Destination("png", ".png", folder=Path(tmp_path)))
    before = sources.taken_count
    outcomes = run_sources(sources, job, 2)
    looked_over = len(sources)
    first = next(outcomes)
    assert first.source == str(tmp_path / "0.png") and "no such file" in first.error
    assert sources.taken_count - before - looked_over <= 3 * 2 + EXTRA_THREADS
    assert sum(1 for _ in outcomes) == 499


def test_after_an_error_nothing_more_begins(tmp_path):
    sources = [Source(tmp_path / f"{n}.png", PurePath(f"{n}.png")) for n in range(500)]
    job = Job(filter_recipe(["identity"]), Destination("png", ".png", folder=Path(tmp_path)))
    assert 1 <= len(list(run_sources(sources, job, 2, stop_on_error=True))) <= 3 * 2 + EXTRA_THREADS
