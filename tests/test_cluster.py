"""A real dask scheduler and two workers, each a process of its own, one of which is killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import pytest
from books import FILLED, fill
from commands import bioduty, failed

import bioduty_xl
from bioduty_xl import Workspace
from bioduty_xl.cluster import executor_of
from bioduty_xl.errors import ConfigError
from bioduty_xl.intake import reading

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

AS_OF = "2024-06-20"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def started(folder, *arguments):
    """A process of dask's, ended with the block."""
    root = str(Path(bioduty_xl.__file__).parents[1])
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


@pytest.fixture
def cluster(tmp_path):
    """(name, worker processes) of a scheduler with two workers."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    worker = ("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    with (
        started(tmp_path, "dask_scheduler", "--port", str(port), "--no-dashboard"),
        started(tmp_path, *worker) as one,
        started(tmp_path, *worker) as two,
    ):
        yield f"dask://127.0.0.1:{port}", [one, two]


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
    """An executor that hands over to another, and kills a worker when so much is under way."""

    def __init__(self, inner, victim, after):
        self.inner, self.victim, self.after, self.submitted = inner, victim, after, 0

    def submit(self, function, /, *arguments):
        self.submitted += 1
        if self.submitted == self.after:
            os.killpg(self.victim.pid, signal.SIGKILL)
        return self.inner.submit(function, *arguments)


def test_a_cluster_reads_as_this_machine_does_also_when_a_worker_is_killed(
    full, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "CHUNK", 2)
    name, workers = cluster
    twin = twin_of(full, tmp_path / "twin")
    here = full.collect(as_of=AS_OF)
    with executor_of(name) as executor:
        wait_for_workers(executor, 2)
        killing = KillingOne(executor, workers[0], after=4)
        there = twin.collect(as_of=AS_OF, executor=killing)
    assert workers[0].poll() == -signal.SIGKILL
    assert killing.submitted == 20
    assert told(there) == told(here)
    assert len(there.files) == 40
    books = [ws.consolidate("2024Q2", as_of=AS_OF).read_bytes() for ws in (full, twin)]
    assert books[0] == books[1]


class Dead(Executor):
    """An executor whose workers are all gone."""

    def submit(self, function, /, *arguments):
        from concurrent.futures import Future

        future = Future()
        future.set_exception(RuntimeError("no workers left"))
        return future


def test_what_no_worker_can_read_is_read_here(full):
    collected = full.collect(as_of=AS_OF, executor=Dead())
    assert len([one for one in collected.files if one.verdict == "accepted"]) == 38


def test_the_command_line_takes_a_cluster_by_its_address(full, cluster):
    name, _ = cluster
    done = json.loads(
        bioduty(
            *("collect", "--json", "--as-of", AS_OF, "--workspace", full.root),
            *("--executor", name),
            expect=3,
        )
    )
    assert len(done["files"]) == 40


def test_an_address_that_is_none_is_a_sentence(q2):
    with pytest.raises(ConfigError, match="dask://"), executor_of("spark://somewhere"):
        pass
    at = ("collect", "--workspace", q2.root, "--executor")
    assert "dask://主机:端口" in failed(*at, "somewhere:8786", expect=2)
    assert "连接不上" in failed(*at, f"dask://127.0.0.1:{free_port()}", expect=1)
