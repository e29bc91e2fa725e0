"""The child process that reads returned files: what kills it costs one file, not the batch."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from bioduty_xl.errors import NotAReturn, Unreadable
from bioduty_xl.intake.raw import RawBook

_TOO_MUCH = ("TooLarge", "MemoryError")
"""Errors of the child that say nothing against the file but its size."""

_CHILD = "bioduty_xl.intake.parse"


class Sandbox(AbstractContextManager["Sandbox"]):
    """One reading process under limits, started when first needed and replaced when it dies.

    Args:
        seconds: how long one file may take.
        memory_mb: address space of the process, in MiB (where the system can limit it).
    """

    def __init__(self, seconds: float, memory_mb: int) -> None:
        self._seconds = seconds
        self._memory = memory_mb << 20
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, path: Path) -> RawBook:
        """The cells and marks of a workbook that has passed the gate.

        Raises:
            Unreadable: the workbook's inside is broken.
            NotAReturn: reading it took too long, too much memory, or killed the process.
        """
        answer = self._ask(path)
        if answer.startswith('{"error"'):
            error = json.loads(answer)["error"]
            if error in _TOO_MUCH:
                raise NotAReturn("表格的使用范围过大，请删去表外多余的行列后另存再报送")
            raise Unreadable(f"文件内部已损坏（{error}），请该单位重新报送")
        return RawBook.from_json(answer)

    def _ask(self, path: Path) -> str:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(str(path.resolve())) + "\n")
            process.stdin.flush()
            answer = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self._stop()
            raise NotAReturn(
                f"读取超过 {self._seconds:g} 秒，已中止，请用 Excel 打开核对后另存再报送"
            ) from None
        except OSError:
            answer = ""
        if not answer:
            self._stop()
            raise NotAReturn("读取时程序异常退出，请用 Excel 打开核对后另存再报送")
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-P", "-m", _CHILD],  # -P: nothing from the current folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                env=_environment(),
            )
            _limit_memory(self._process.pid, self._memory)
            self._answers = queue.SimpleQueue()
            threading.Thread(
                target=_pass_on, args=(self._process, self._answers), daemon=True
            ).start()
        return self._process

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
        self._process = None


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


def _limit_memory(pid: int, size: int) -> None:
    """Cap the child's address space; only Linux lets a parent do so."""
    if sys.platform == "linux":
        import resource

        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
