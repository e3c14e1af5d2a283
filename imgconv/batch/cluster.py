"""Run sources on a Dask cluster: each image is a task, and outcomes arrive in the order of the sources.

A worker does what a local run does, one image per thread. If a worker dies, its images are tried again. Outputs are written
atomically, so any number of attempts leaves one output. With the address `local` the cluster consists of processes that start
and end with the run.
"""

import logging
import os
import re
import secrets
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from imgconv import atomic
from imgconv.batch.job import Job
from imgconv.batch.outcome import Outcome
from imgconv.batch.run import in_order
from imgconv.batch.sources import Source
from imgconv.batch.tasks import ExistingOutputs, Sender, identity, image_task, own_version, pickled_task
from imgconv.errors import ClusterError, MissingExtra, UsageError, reason
from imgconv.inputs import Inputs

LOCAL = "local"
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
CLOSE_TIMEOUT = 5.0  # seconds for local workers to end
CONNECT_TIMEOUT = 10.0  # seconds for a scheduler to respond
WORKER_TIMEOUT = 30.0  # seconds without any worker
POLL_INTERVAL = 2.0  # seconds between counts of the workers' threads
AHEAD = 4  # images submitted in addition to two per thread


def check_address(address: str) -> None:
    """Raise UsageError unless the address is `local` or the address of a scheduler.

    >>> check_address("tcp://10.0.0.1:8786")
    """
    if address != LOCAL and re.fullmatch(r"((tcp|tls|ws|wss)://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}", address) is None:
        raise UsageError(f"--dask expects local or an address such as tcp://10.0.0.1:8786, got {address!r}")


def run_on_cluster(
    sources: Sequence[Source],
    job: Job,
    address: str,
    jobs: int,
    *,
    limited: bool = False,
    stop_on_error: bool = False,
    on_worker: Callable[[], None] | None = None,
) -> Generator[Outcome]:
    """Yield the outcome of each source, in order, from the cluster at `address`, or from `jobs` local processes for `local`.

    Each worker calls `on_worker` before its first image. With `limited` at most `jobs` images are submitted at once to a remote
    cluster, otherwise a few for each of its threads.
    Raises ClusterError if no scheduler responds or no worker is available, MissingExtra without Dask.
    """
    sender = Sender(job, on_worker)
    with ExitStack() as stack:
        stack.enter_context(_silenced())
        stack.callback(_sweep, sources, sender, job.inputs)
        client = stack.enter_context(_client(address, jobs))
        cluster = _Cluster(client, sender, jobs if limited and address != LOCAL else None, may_stop=stop_on_error)
        yield from in_order(sources, partial(_Task, cluster), cluster.capacity, stop_on_error)


class _Cluster:
    """A connection to a scheduler, for the tasks of one run."""

    def __init__(self, client: Any, sender: Sender, limit: int | None, *, may_stop: bool):
        self.sender = sender
        self._distributed = import_module("distributed")
        self._client, self._limit = client, limit
        self._name, self._number = f"imgconv-{secrets.token_hex(8)}", 0
        self._stop = self._name if may_stop else None
        self._job = client.submit(identity, sender.pickled_job(), key=f"{self._name}-job", pure=False)
        self._threads, self._last_seen = 0, time.monotonic()
        self._count_threads()

    def capacity(self) -> int:
        """Return how many images may be submitted at once: enough to keep every thread busy."""
        if time.monotonic() - self._counted > POLL_INTERVAL:
            self._count_threads()
        return self._limit or 2 * self._threads + AHEAD

    def submit(self, source: Source, existing_outputs: ExistingOutputs, *, spreads: bool) -> Any:
        """Return the future of an image, see `image_task`. Dask tries it again if its worker dies."""
        self._number += 1
        arguments = (self._job, self.sender.absolute(source), existing_outputs, self._stop, spreads)
        return self._client.submit(image_task, *arguments, key=f"{self._name}-{self._number}", pure=False)

    def run_all(self, tasks: Iterable[Callable[[bytes], Any]]) -> Iterator[Any]:
        """Run tasks that need the job, a few for each thread at once, and yield their results in order.

        Dask runs a task again if its worker is lost.
        """
        pending: deque[tuple[Callable[[bytes], Any], Any]] = deque()
        try:
            for task in tasks:
                if len(pending) >= self.capacity():
                    yield self._result_of_task(*pending.popleft())
                pending.append((task, self._submit_task(task)))
            while pending:
                yield self._result_of_task(*pending.popleft())
        finally:
            self._client.cancel([future for _, future in pending])

    def _submit_task(self, task: Callable[[bytes], Any]) -> Any:
        self._number += 1
        return self._client.submit(pickled_task, self._job, task, key=f"{self._name}-{self._number}", pure=False)

    def _result_of_task(self, task: Callable[[bytes], Any], future: Any) -> Any:
        try:
            return self.result(future)
        except self.killed:  # perhaps of another task on the same worker
            return self.result(self._submit_task(task))

    @property
    def threads(self) -> int:
        """Number of threads of the workers at the last count."""
        return self._threads

    def result(self, future: Any) -> Any:
        """Wait for a future. Raises `killed` if too many workers died of the image, ClusterError if the cluster cannot process it."""
        while True:
            try:
                outcome = future.result(timeout=POLL_INTERVAL)
            except TimeoutError:
                self._count_threads()
            except (ClusterError, self.killed):
                raise
            except (self._distributed.CancelledError, self._distributed.comm.CommClosedError):
                raise ClusterError("lost the scheduler; run the same command with --skip-existing to continue where it stopped") from None
            except Exception as error:  # a worker without imgconv, for example; errors of images are in their outcomes
                remedy = f"install imgconv {own_version()} for the scheduler and all workers"
                raise ClusterError(f"the cluster cannot process images, {_described(error)}; {remedy}") from error
            else:
                return outcome

    @property
    def killed(self) -> type[Exception]:
        """The error of a future after too many workers have died while they processed it, or another image at the same time."""
        error: type[Exception] = self._distributed.KilledWorker
        return error

    def stop(self) -> None:
        """Let workers skip all images that they have not begun."""
        self._distributed.Event(self._stop, client=self._client).set()

    def _count_threads(self) -> None:
        """Count the workers' threads; raise ClusterError after a long time without any."""
        self._counted = time.monotonic()
        with suppress(OSError):  # without a scheduler, futures raise the error
            self._threads = sum(self._client.nthreads().values())
        if self._threads:
            self._last_seen = self._counted
        elif self._counted - self._last_seen > WORKER_TIMEOUT:
            address = self._client.scheduler.address
            raise ClusterError(f"no worker for {WORKER_TIMEOUT:.0f} s; start some with: dask worker {address}")


class _Task:
    """A submitted image. The rows of a large one are spread over the workers when its outcome is waited for."""

    def __init__(self, cluster: _Cluster, source: Source, *, spreads: bool = True):
        self._cluster, self._source, self._spreads, self._is_cancelled = cluster, source, spreads, False
        self._existing_outputs = cluster.sender.existing_outputs(source)
        self._future = self._submitted()

    def result(self) -> Outcome | None:
        """Wait for the outcome. An image whose worker died of another image in progress is submitted a second time."""
        try:
            outcome = self._cluster.result(self._future)
        except self._cluster.killed:
            self._future = self._submitted()
            try:
                outcome = self._cluster.result(self._future)
            except self._cluster.killed:
                return Outcome(str(self._source), error="every worker that processed it died; it may need more memory than they have")
        if outcome is not None and outcome.is_large:
            return None if self._is_cancelled else self._spread()
        return outcome and self._cluster.sender.with_user_names(outcome, self._source)

    def cancel(self) -> bool:
        """Stop the run; whether this image has begun is known from its result."""
        self._is_cancelled = True
        self._cluster.stop()
        return False

    def _submitted(self) -> Any:
        return self._cluster.submit(self._source, self._existing_outputs, spreads=self._spreads)

    def _spread(self) -> Outcome | None:
        """Process a large image as many tasks, or as one task if it cannot be processed by bands."""
        from imgconv.batch.spreading import spread  # rarely needed

        cluster, sender = self._cluster, self._cluster.sender
        try:
            outcome = spread(sender.absolute(self._source), sender.job, cluster.run_all, cluster.threads)
        except cluster.killed:
            return Outcome(str(self._source), error="every worker that processed a part of it died; it may need more memory than they have")
        if outcome is None:
            return _Task(cluster, self._source, spreads=False).result()
        return sender.with_user_names(outcome, self._source)


@contextmanager
def _client(address: str, jobs: int) -> Iterator[Any]:
    """Connect to the scheduler at `address`, or to a local one with `jobs` workers."""
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingExtra("--dask needs another library; to use it: pip install 'imgconv[dask]'") from error
    with ExitStack() as stack:
        try:
            scheduler = stack.enter_context(_local_cluster(distributed, jobs)) if address == LOCAL else address
            client = stack.enter_context(_connect(partial(distributed.Client, scheduler, set_as_default=False)))
        except Exception as error:  # every protocol has its own error classes
            raise ClusterError(f"no Dask scheduler responds at {address}: {_described(error)}") from error
        yield client


def _connect(connect: Callable[..., Any]) -> Any:
    """Call `connect` with a timeout. Dask's own timeout does not apply if a server that is not a scheduler responds."""
    connection: Future[Any] = Future()

    def call() -> None:
        try:
            connection.set_result(connect(timeout=CONNECT_TIMEOUT))
        except Exception as error:  # raised again by `connection.result`
            connection.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    try:
        return connection.result(CONNECT_TIMEOUT + 1)
    except TimeoutError:
        raise TimeoutError(f"the server did not respond as a scheduler within {CONNECT_TIMEOUT:.0f} s") from None


@contextmanager
def _local_cluster(distributed: Any, jobs: int) -> Iterator[Any]:
    """Start worker processes with one thread each. Interrupts from the terminal reach this process only."""
    if hasattr(signal, "pthread_sigmask"):
        _start_resource_tracker()  # its start unblocks interrupts
    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    with ExitStack() as stack:
        with _deferred_signals():
            cluster = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, memory_limit=None, **quiet)
            stack.callback(_close, cluster)
        yield cluster


def _start_resource_tracker() -> None:
    """Start the process that removes the semaphores of an interrupted run, so that it does not warn about them."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _close(cluster: Any) -> None:
    with _deferred_signals():
        cluster.close(timeout=CLOSE_TIMEOUT)


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Handle signals at the end of the block, so that no process is left half started or half stopped.

    Where signals can be blocked, SIGINT is blocked in processes that are started in the block, and in their children.
    """
    received: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    deferred = [number for number in SIGNALS if in_main and callable(signal.getsignal(number))]
    handlers = {number: signal.signal(number, lambda number, _: received.append(number)) for number in deferred}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _sweep(sources: Sequence[Source], sender: Sender, inputs: Inputs) -> None:
    """Remove temporary files that dead workers left in local folders."""
    outputs = (path for source in sources if not source.error for path in sender.outputs(source))
    atomic.sweep({path.parent for path in outputs if isinstance(path, Path)}, inputs)


@contextmanager
def _silenced() -> Iterator[None]:
    """Suppress logs and warnings: Dask logs every connection that ends."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _described(error: BaseException) -> str:
    return reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {reason(error.__cause__ or error)}"
