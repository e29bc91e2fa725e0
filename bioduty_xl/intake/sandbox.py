"""The child process that reads returned files: what kills it costs one file, not the batch."""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bioduty_xl.errors import BiodutyError, NotAReturn, Unreadable
from bioduty_xl.intake.gate import Format
from bioduty_xl.intake.raw import READY, RawBook

_TOO_MUCH = ("TooLarge", "MemoryError")
"""Errors of the child that say nothing against the file but its size."""

_OURS = ("PanicException",)
"""Errors of the child that may be the reader's own fault: a person should look at the file."""

_CHILD = "bioduty_xl.intake.parse"

START_SECONDS = 60.0
"""How long a reading process may take to start."""


class Sandbox(AbstractContextManager["Sandbox"]):
    """One reading process under limits, started when first needed and replaced when it dies.

    Args:
        seconds: how long one file may take.
        memory_mb: address space of the process (on Windows: its committed memory), in MiB.
        tries: how often a file that took too long is tried; a busy machine is not the file's fault.
        in_all: how long all files together may take; None: as long as they need.
    """

    def __init__(
        self, seconds: float, memory_mb: int, *, tries: int = 1, in_all: float | None = None
    ) -> None:
        self._seconds = seconds
        self._memory = memory_mb << 20
        self._tries = tries
        self._left = math.inf if in_all is None else in_all
        self._number = 0
        self._process: subprocess.Popen[str] | None = None
        self._job: Any = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, path: Path, form: Format = Format.XLSX) -> RawBook:
        """The cells and marks of a workbook that has passed the gate.

        Raises:
            Unreadable: the workbook's inside is broken.
            NotAReturn: it is locked, or reading it took too long, too much memory, or killed the
                process.
            BiodutyError: no reading process can be started; the files are not to blame.
        """
        answer = self._ask(path, form)
        if answer.startswith('{"error"'):
            error = json.loads(answer)["error"]
            if error in _TOO_MUCH:
                raise NotAReturn("表格的使用范围过大，请删去表外多余的行列后另存再报送")
            if error == "Locked":
                raise NotAReturn("文件设有打开密码，请去掉密码后重新报送")
            if error in _OURS:
                raise NotAReturn("文件内部有程序不认识的内容，请用 Excel 打开核对后另存再报送")
            raise Unreadable(f"文件内部已损坏或没有传完（{error}），请该单位重新报送")
        return RawBook.from_json(answer)

    def _ask(self, path: Path, form: Format) -> str:
        for left in reversed(range(self._tries)):
            seconds = min(self._seconds, self._left)
            started = time.monotonic()
            try:
                return self._ask_once(path, form, seconds)
            except queue.Empty:
                self._stop()
                if not left:
                    raise NotAReturn(
                        f"读取超过 {self._seconds:g} 秒，已中止，请用 Excel 打开核对后另存再报送；"
                        "也可把原文件放回收件夹再试"
                    ) from None
            finally:
                self._left = max(0.0, self._left - (time.monotonic() - started))
        raise AssertionError("at least one try")

    def _ask_once(self, path: Path, form: Format, seconds: float) -> str:
        process = self._running()
        assert process.stdin is not None
        self._number += 1
        request = {"number": self._number, "path": str(path.resolve()), "format": form.value}
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=seconds)
        except OSError:
            line = ""
        number, _, answer = line.partition(" ")
        if number != str(self._number):  # it died, or its answers are not ours any more
            self._stop()
            raise NotAReturn("读取时程序异常退出，请用 Excel 打开核对后另存再报送")
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._process is None:
            limits = [str(self._memory), str(self._seconds)]
            try:
                self._process = subprocess.Popen(  # noqa: S603  # our own module
                    [sys.executable, "-P", "-m", _CHILD, *limits],  # -P: nothing from this folder
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    env=_environment(),
                )
            except OSError as error:
                raise BiodutyError(
                    f"读取文件的程序不能启动（{error.strerror}），请稍后再试"
                ) from error
            if sys.platform == "win32":
                self._job = confine(self._process.pid, self._memory)
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
            self._stop()
            raise BiodutyError("读取文件的程序不能启动，请检查内存和 intake.memory_mb，稍后再试")

    def _stop(self) -> None:
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
