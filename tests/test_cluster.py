"""A real dask scheduler and two workers, each a process of its own, one of which is killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
from books import FILLED, fill
from commands import bioduty, failed

import bioduty_xl
from bioduty_xl import Province, Workspace, rollup
from bioduty_xl import cluster as cluster_module
from bioduty_xl.cluster import executor_of
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.intake import reading

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

AS_OF = "2024-06-20"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def started(folder, *arguments, path=None):
    """A process of dask's, ended with the block."""
    root = str(Path(bioduty_xl.__file__).parents[1])
    if path is None:
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    log = (folder / f"{arguments[0]}.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


@dataclass
class Cluster:
    """A scheduler's address, its process, and those of its workers."""

    name: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]


@contextmanager
def cluster_of(folder, workers, path=None):
    """A scheduler with so many workers; `path` is their Python path where it is another."""
    port = free_port()
    worker = ("dask_worker", f"tcp://127.0.0.1:{port}", *("--nthreads", "1", "--no-nanny"))
    with ExitStack() as stack:
        scheduler = ("dask_scheduler", "--port", str(port), "--no-dashboard")
        process = stack.enter_context(started(folder, *scheduler))
        wait_until_it_listens(process, port)
        yield Cluster(
            f"dask://127.0.0.1:{port}",
            process,
            [
                stack.enter_context(started(folder, *worker, "--no-dashboard", path=path))
                for _ in range(workers)
            ],
        )


def wait_until_it_listens(process, port):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the scheduler does not listen")


@pytest.fixture
def cluster(tmp_path):
    with cluster_of(tmp_path, 2) as made:
        yield made


def wait_for_workers(executor, count):
    client = executor._client
    deadline = time.monotonic() + 60
    while len(client.scheduler_info(n_workers=-1)["workers"]) < count:
        assert time.monotonic() < deadline, "the workers do not come"
        time.sleep(0.2)


@pytest.fixture
def full(q2, form, tmp_path):
    """A workspace whose inbox has a return of every unit, and files that are none."""
    for number, unit in enumerate(q2.plan.units):
        answers = {**FILLED, "progress": f"开展巡护{number}次，出动{number * 3}人次。"}
        fill(form(unit.name), q2.inbox / f"{unit.name}.xlsx", answers=answers)
    (q2.inbox / "断.xlsx").write_bytes((q2.inbox / "东区人民政府.xlsx").read_bytes()[:9000])
    (q2.inbox / "扫描件.pdf").write_bytes(b"%PDF-1.7 scanned")
    return q2


def told(collected):
    return sorted(json.dumps(report.as_json(), sort_keys=True) for report in collected.files)


def twin_of(ws, root):
    """A copy of a workspace, in whose inbox files came in the same order."""
    shutil.copytree(ws.root, root, ignore=shutil.ignore_patterns("inbox"))
    twin = Workspace.open(root)
    twin.inbox.mkdir()
    for path in sorted(ws.inbox.iterdir(), key=lambda path: path.stat().st_ctime_ns):
        shutil.copy2(path, twin.inbox / path.name)
    return twin


class KillingOne(Executor):
    """An executor that hands over to another, and kills a process when so much was handed over."""

    def __init__(self, inner, victim, after):
        self.inner, self.victim, self.after, self.submitted = inner, victim, after, 0

    def submit(self, function, /, *arguments):
        self.submitted += 1
        if self.submitted == self.after:
            os.kill(self.victim.pid, signal.SIGKILL)
        return self.inner.submit(function, *arguments)


def test_a_cluster_reads_as_this_machine_does_also_when_a_worker_is_killed(
    full, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "CHUNK", 2)
    twin = twin_of(full, tmp_path / "twin")
    here = full.collect(as_of=AS_OF)
    with executor_of(cluster.name) as executor:
        wait_for_workers(executor, 2)
        killing = KillingOne(executor, cluster.workers[0], after=4)
        there = twin.collect(as_of=AS_OF, executor=killing)
    assert cluster.workers[0].poll() == -signal.SIGKILL
    assert killing.submitted == 20
    assert told(there) == told(here)
    assert len(there.files) == 40
    books = [ws.consolidate("2024Q2", as_of=AS_OF).read_bytes() for ws in (full, twin)]
    assert books[0] == books[1]


def accepted(collected):
    return sum(report.verdict == "accepted" for report in collected.files)


def test_a_scheduler_that_dies_in_the_middle_costs_no_file(full, cluster, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    with executor_of(cluster.name) as executor:
        killing = KillingOne(executor, cluster.scheduler, after=4)
        assert accepted(full.collect(as_of=AS_OF, executor=killing)) == 38
    assert cluster.scheduler.poll() == -signal.SIGKILL


def test_workers_that_all_die_are_not_waited_for(full, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    monkeypatch.setattr(reading.Reading, "_patience", lambda *_: 5)
    with cluster_of(tmp_path, 1) as cluster, executor_of(cluster.name) as executor:
        killing = KillingOne(executor, cluster.workers[0], after=4)
        assert accepted(full.collect(as_of=AS_OF, executor=killing)) == 38


def test_a_pool_whose_process_dies_costs_no_file(full, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        (victim,) = pool._processes.values()
        killing = KillingOne(pool, victim, after=4)
        assert accepted(full.collect(as_of=AS_OF, executor=killing)) == 38


class Failing(Executor):
    """An executor that fails in one way."""

    def __init__(self, way):
        self.way = way

    def submit(self, function, /, *arguments):
        future = Future()
        if self.way == "refuses":
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self.way == "fails":
            future.set_exception(RuntimeError("no workers left"))
        if self.way == "cancels":
            future.cancel()
        return future


@pytest.mark.parametrize("way", ["refuses", "fails", "cancels", "never answers"])
def test_what_no_worker_does_is_done_here(full, way, monkeypatch):
    monkeypatch.setattr(reading.Reading, "_patience", lambda *_: 1)
    monkeypatch.setattr(rollup, "PATIENCE", 1)
    executor = Failing(way)
    assert accepted(full.collect(as_of=AS_OF, executor=executor)) == 38
    province = Province.read([full.root], "2024Q2", as_of=AS_OF, executor=executor)
    assert not province.evidence.left_out


def test_no_more_bytes_are_with_the_workers_than_memory_has_room_for(full, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 2)
    monkeypatch.setattr(reading, "SENT_BYTES", 100_000)
    most = []

    class Watching(ThreadPoolExecutor):
        def submit(self, function, /, terms, sent):
            most.append(sum(len(content) for _, content in sent))
            return super().submit(function, terms, sent)

    with Watching(1) as executor:
        assert accepted(full.collect(as_of=AS_OF, executor=executor)) == 38
    assert 0 < len(most) < 19  # of twenty chunks; the others were read here


def test_the_command_line_takes_a_cluster_by_its_address(full, cluster):
    done = json.loads(
        bioduty(
            *("collect", "--json", "--as-of", AS_OF, "--workspace", full.root),
            *("--executor", cluster.name),
            expect=3,
        )
    )
    assert len(done["files"]) == 40


def test_an_address_that_is_none_is_a_sentence(q2):
    with pytest.raises(ConfigError, match="dask://"), executor_of("spark://somewhere"):
        pass
    at = ("collect", "--workspace", q2.root, "--executor")
    for none in ("somewhere:8786", "dask://here", "dask://here:abc", "dask://h:0", "dask:///x"):
        assert "dask://主机:端口" in failed(*at, none, expect=2)
    assert "连接不上" in failed(*at, f"dask://127.0.0.1:{free_port()}", expect=1)


_WITHOUT = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda _, name, *more: None if name == "bioduty_xl" else find(name, *more)
)
"""


def without_the_package(folder):
    """A Python path by which an interpreter does not find the package, though it is installed."""
    (folder / "without").mkdir()
    (folder / "without" / "sitecustomize.py").write_text(_WITHOUT, encoding="utf-8")
    return str(folder / "without")


def test_a_cluster_without_workers_or_with_one_that_lacks_the_package_is_a_sentence(
    q2, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster_module, "_SECONDS", 3)
    with (
        cluster_of(tmp_path, 0) as made,
        pytest.raises(BiodutyError, match="没有工作进程"),
        executor_of(made.name),
    ):
        pass
    monkeypatch.setattr(cluster_module, "_SECONDS", 30)
    with cluster_of(tmp_path, 1, without_the_package(tmp_path)) as made:
        with pytest.raises(BiodutyError, match="没有安装 bioduty-xl"), executor_of(made.name):
            pass
        assert made.workers[0].poll() is None
