"""A Dask cluster of our own: a scheduler in this process, and workers that end with it. Knows nothing of images.

A run on a Dask cluster: planned here, each image a task there, its outcome told here, in order.

Workers do what a run on one machine does, an image to a thread. One that dies costs its images another attempt, and since outputs
appear whole, any number of attempts leaves one. Who the workers are, and how many, is the cluster's own business.
"""

import logging
import re
import secrets
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from imgconv import atomic
from imgconv.batch.outcome import Outcome
from imgconv.batch.run import in_order
from imgconv.batch.sources import Source
from imgconv.batch.tasks import Sender, image_task, own_version, same
from imgconv.batch.work import Job
from imgconv.errors import ClusterError, MissingExtra, UsageError, reason

CLOSING = 5.0  # seconds for workers to end by themselves
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def local_cluster(distributed: Any, jobs: int) -> Iterator[Any]:
    """Processes of our own that take one image each. An interrupt from the terminal is ours to answer, not theirs."""
    resource_tracker.ensure_running()  # when it starts, it lets interrupts through again
    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    with ExitStack() as stack:
        with _signals_wait():
            cluster = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, memory_limit=None, **quiet)
            stack.callback(_close, cluster)
        yield cluster


def _close(cluster: Any) -> None:
    with _signals_wait():
        cluster.close(timeout=CLOSING)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Answer signals at the end of the block: processes half begun or half ended would be left alone.

    Interrupts do not reach processes that are begun meanwhile, nor those that they begin.
    """
    came: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    waiting = [number for number in SIGNALS if in_main and callable(signal.getsignal(number))]
    answers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in waiting}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, answer in answers.items():
            signal.signal(number, answer)
        if came:
            signal.raise_signal(came[0])


LOCAL = "local"
CONNECTING = 10.0  # seconds in which a scheduler has to answer
PATIENCE = 30.0  # seconds in which some worker has to be there
LOOK = 2.0  # seconds between looks at who works
AHEAD = 4  # images on their way beside two for each thread


def check_address(address: str) -> None:
    """Raise UsageError for what is neither `local` nor the address of a scheduler.

    >>> check_address("tcp://10.0.0.1:8786")
    """
    if address != LOCAL and re.fullmatch(r"((tcp|tls|ws|wss)://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}", address) is None:
        raise UsageError(f"--dask {address!r} is no scheduler; use an address like tcp://10.0.0.1:8786, or local")


def run_on_cluster(
    sources: Sequence[Source], job: Job, address: str, jobs: int, *, limited: bool = False, stop_on_error: bool = False
) -> Generator[Outcome]:
    """The outcome of each source, in their order, from the cluster at `address`, or from one of `jobs` processes made here for `local`.

    `limited` lets no more than `jobs` images be on their way to a cluster; otherwise it is a few for each of its threads.
    Raises ClusterError where nobody answers or works, MissingExtra without Dask.
    """
    sender = Sender(job)
    with ExitStack() as stack:
        stack.enter_context(_silence())
        stack.callback(_clear, sources, sender)
        client = stack.enter_context(_client(address, jobs))
        cluster = _Cluster(client, sender, jobs if limited and address != LOCAL else None, may_stop=stop_on_error)
        yield from in_order(sources, cluster.begin, cluster.room, stop_on_error)


class _Cluster:
    """Workers, and what is sent to them."""

    def __init__(self, client: Any, sender: Sender, most: int | None, *, may_stop: bool):
        self.sender = sender
        self._distributed = import_module("distributed")
        self._client, self._most = client, most
        self._name, self._number = f"imgconv-{secrets.token_hex(8)}", 0
        self._stop = self._name if may_stop else None
        self._job = client.submit(same, sender.packed(), key=f"{self._name}-job", pure=False)
        self._threads, self._worked = 0, time.monotonic()
        self._look()

    def begin(self, source: Source) -> "_Task":
        """Send an image on its way."""
        return _Task(self, source)

    def room(self) -> int:
        """How many images may be on their way: enough for no thread to wait for its next."""
        if time.monotonic() - self._looked > LOOK:
            self._look()
        return self._most or 2 * self._threads + AHEAD

    def submit(self, source: Source, there: Any) -> Any:
        """The future of an image, which Dask tries again when the worker dies that has it."""
        self._number += 1
        words = (self._job, self.sender.sent(source), there, self._stop)
        return self._client.submit(image_task, *words, key=f"{self._name}-{self._number}", pure=False)

    def result(self, future: Any) -> Outcome | None:
        """What a future gives. Raises ClusterError where no worker can give it, `killed` where all that tried have died."""
        while True:
            try:
                outcome: Outcome | None = future.result(timeout=LOOK)
            except TimeoutError:
                self._look()
            except (ClusterError, self.killed):
                raise
            except self._gone:
                raise ClusterError("the scheduler is gone; run the same command with --skip-existing to go on where it stopped") from None
            except Exception as error:  # whatever a worker without something of ours says; images' own errors are in their outcomes
                remedy = f"install imgconv {own_version()} for the scheduler and all workers"
                raise ClusterError(f"the cluster cannot take images, {_described(error)}; {remedy}") from error
            else:
                return outcome

    @property
    def _gone(self) -> tuple[type[Exception], ...]:
        """What a future raises without a scheduler, waited for or just being fetched."""
        return self._distributed.CancelledError, self._distributed.comm.CommClosedError

    @property
    def killed(self) -> type[Exception]:
        """What a future raises once too many workers have died of it, or beside it."""
        error: type[Exception] = self._distributed.KilledWorker
        return error

    def stop(self) -> None:
        """Let no image begin from now on."""
        self._distributed.Event(self._stop, client=self._client).set()

    def _look(self) -> None:
        """See how many threads work; raise ClusterError after a long time without any."""
        self._looked = time.monotonic()
        with suppress(OSError):  # the scheduler is gone: futures will say so
            self._threads = sum(self._client.nthreads().values())
        if self._threads:
            self._worked = self._looked
        elif self._looked - self._worked > PATIENCE:
            raise ClusterError(f"no worker for {PATIENCE:.0f} s; start some with: dask worker {self._client.scheduler.address}")


class _Task:
    """One image on its way."""

    def __init__(self, cluster: _Cluster, source: Source):
        self._cluster, self._source = cluster, source
        self._there = cluster.sender.there(source)
        self._future = cluster.submit(source, self._there)

    def result(self) -> Outcome | None:
        """What became of it. A bad image takes those beside it with it when its worker dies; they get a second chance."""
        try:
            outcome = self._cluster.result(self._future)
        except self._cluster.killed:
            self._future = self._cluster.submit(self._source, self._there)
            try:
                outcome = self._cluster.result(self._future)
            except self._cluster.killed:
                return Outcome(str(self._source), error="every worker that took it died; it may need more memory than they have")
        return outcome and self._cluster.sender.as_typed(outcome, self._source)

    def cancel(self) -> bool:
        """Let it not begin, if it has not; its result will tell."""
        self._cluster.stop()
        return False


@contextmanager
def _client(address: str, jobs: int) -> Iterator[Any]:
    """A connection to the scheduler at `address`, or to one of our own with `jobs` workers."""
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingExtra("--dask needs another library; to use it: pip install 'imgconv[dask]'") from error
    with ExitStack() as stack:
        try:
            where = stack.enter_context(local_cluster(distributed, jobs)) if address == LOCAL else address
            client = stack.enter_context(_within(CONNECTING, partial(distributed.Client, where, set_as_default=False)))
        except Exception as error:  # each way to connect has errors of its own
            raise ClusterError(f"no Dask scheduler answers at {address}: {_described(error)}") from error
        yield client


def _within(seconds: float, connect: Callable[..., Any]) -> Any:
    """What `connect` gives. Its own timeout holds while nobody answers; this one also where something that is no scheduler does."""
    made: Future[Any] = Future()

    def call() -> None:
        try:
            made.set_result(connect(timeout=seconds))
        except Exception as error:  # told to whoever waits
            made.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    try:
        return made.result(seconds + 1)
    except TimeoutError:
        raise TimeoutError(f"what is there says nothing of a scheduler within {seconds:.0f} s") from None


def _clear(sources: Sequence[Source], sender: Sender) -> None:
    """Remove what workers that died have left half-written in folders of this machine."""
    places = (place for source in sources if not source.trouble for place in sender.outputs(source))
    atomic.sweep({place.parent for place in places if isinstance(place, Path)})


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing but our own lines: Dask tells every connection that ends."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _described(error: BaseException) -> str:
    return reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {reason(error.__cause__ or error)}"
