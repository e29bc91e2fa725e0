"""The child process that reads returned files: what kills it costs one file, not the batch.

It is asked for several files at once, so that neither side waits for the other, and answers one by
one; when it dies or hangs, the file that it was at is told of, and a new one goes on with the rest.
"""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioduty_xl.errors import BiodutyError, system_words
from bioduty_xl.intake.gate import Limits
from bioduty_xl.intake.raw import DIED, LATE, READY
from bioduty_xl.language import say

_CHILD = "bioduty_xl.intake.parse"

START_SECONDS = 60.0
"""How long a reading process may take to start."""


@dataclass(frozen=True)
class Terms:
    """What a reading process may do.

    Attributes:
        limits: the gate's caps.
        seconds: how long one file may take.
        memory_mb: address space of the process (on Windows: its committed memory), in MiB.
        tries: how often a file that took too long is tried; a busy machine is not the file's fault,
            so that it has twice the time when it is tried again.
    """

    limits: Limits
    seconds: float
    memory_mb: int
    tries: int = 1

    @property
    def most_seconds(self) -> float:
        """How long a file may take with all its tries."""
        return self.seconds * (2 * self.tries - 1)


@dataclass(frozen=True)
class Original:
    """A file to read: where it lies, and the SHA-256 that its bytes must have."""

    path: str
    sha256: str


class Sandbox(AbstractContextManager["Sandbox"]):
    """One reading process under limits, started when first needed and replaced when it dies.

    Args:
        in_all: how long all files together may take; None: as long as they need.
    """

    def __init__(self, terms: Terms, *, in_all: float | None = None) -> None:
        self._terms = terms
        self._left = math.inf if in_all is None else in_all
        self._number = 0
        self._process: subprocess.Popen[str] | None = None
        self._job: Any = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def read(self, originals: Sequence[Original]) -> list[str]:
        """What the process says of each file, in order; `raw.opened` tells what it means.

        Raises:
            BiodutyError: no reading process can be started; the files are not to blame.
        """
        answers: list[str] = []
        tries = 0  # of the file that comes next
        while len(answers) < len(originals):
            come = self._ask(originals[len(answers) :], self._terms.seconds * (1 + bool(tries)))
            answers += come
            tries = (tries if len(come) == 1 else 0) + 1
            if come[-1] == LATE and tries < self._terms.tries:
                answers.pop()
            else:
                tries = 0
        return answers

    def _ask(self, originals: Sequence[Original], seconds: float) -> list[str]:
        """Ask for files; the answers up to the one that did not come, in whose place stands why."""
        answers: list[str] = []
        first = self._request(originals)
        for number, _ in enumerate(originals, start=first):
            answer = self._next(number, seconds)
            answers.append(answer)
            seconds = self._terms.seconds
            if answer in (LATE, DIED):
                self.stop()
                break
        return answers

    def _request(self, originals: Sequence[Original]) -> int:
        """Send requests all at once; returns the number of the first."""
        process, first = self._running(), self._number + 1
        lines = []
        for original in originals:
            self._number += 1
            lines.append(json.dumps({"number": self._number, **asdict(original)}) + "\n")
        try:
            assert process.stdin is not None
            process.stdin.write("".join(lines))
            process.stdin.flush()
        except OSError:  # it is dead, as its missing answer will show
            pass
        return first

    def _next(self, number: int, seconds: float) -> str:
        """The answer with a number, or why there is none."""
        started = time.monotonic()
        try:
            line = self._answers.get(timeout=min(seconds, self._left))
        except queue.Empty:
            return LATE
        finally:
            self._left = max(0.0, self._left - (time.monotonic() - started))
        found, _, answer = line.partition(" ")
        return answer.rstrip("\n") if found == str(number) else DIED

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            memory = self._terms.memory_mb << 20
            limits = json.dumps(asdict(self._terms.limits))
            arguments = [str(memory), str(self._terms.seconds), limits]
            try:
                self._process = subprocess.Popen(  # noqa: S603  # our own module
                    [sys.executable, "-P", "-m", _CHILD, *arguments],  # -P: nothing from here
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    env=_environment(),
                )
            except OSError as error:
                raise BiodutyError(
                    say(
                        "读取文件的程序不能启动（{reason}），请稍后再试", reason=system_words(error)
                    )
                ) from error
            if sys.platform == "win32":
                self._job = confine(self._process.pid, memory)
            self._answers = queue.SimpleQueue()
            threading.Thread(
                target=_pass_on, args=(self._process, self._answers), daemon=True
            ).start()
            self._wait_until_ready()
        return self._process

    def _wait_until_ready(self) -> None:
        """The time to start is the machine's, not the file's."""
        try:
            greeting = self._answers.get(timeout=START_SECONDS)
        except queue.Empty:
            greeting = ""
        if greeting.strip() != READY:
            self.stop()
            raise BiodutyError(
                say("读取文件的程序不能启动，请检查内存和 intake.memory_mb，稍后再试")
            )

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # a dead child leaves unsent bytes behind
                    continue
        self._process = self._job = None


def _pass_on(process: subprocess.Popen[str], answers: queue.SimpleQueue[str]) -> None:
    """Hand over each answer as it comes, and an empty one when the process has died."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except (ValueError, OSError):  # closed under our hands when the sandbox stops
        pass
    answers.put("")


def _environment() -> dict[str, str]:
    """The parent's, with the package on the path however the parent found it."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def confine(pid: int, memory: int) -> Any:
    """Windows: put a process into a job that caps its memory and ends with the last handle.

    Elsewhere the child sets its own limits (`parse`). Returns the job's handle, to be kept.
    """
    import win32api
    import win32con
    import win32job

    job = win32job.CreateJobObject(None, "")
    limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
    limits["ProcessMemoryLimit"] = memory
    limits["BasicLimitInformation"]["LimitFlags"] |= (
        win32job.JOB_OBJECT_LIMIT_PROCESS_MEMORY | win32job.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    )
    win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
    access = win32con.PROCESS_SET_QUOTA | win32con.PROCESS_TERMINATE
    win32job.AssignProcessToJobObject(job, win32api.OpenProcess(access, 0, pid))
    return job
