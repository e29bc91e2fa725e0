"""Runs one child process, takes its time from start to end, and watches its memory and that of the
processes it starts.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import bioduty_xl
from benchmarks.clocks import read_clocks

WATCH_SECONDS = 0.1
"""How often memory is looked at; the system keeps each process's highest mark by itself."""

_UNCOMPILED = "PYTHONDONTWRITEBYTECODE"
"""Where this is set, sources are compiled at each start; an installed package has its compiled."""

_MARK = re.compile(r"VmHWM:\s+(\d+) kB")
_MB = 1_000_000


@dataclass(frozen=True)
class Run:
    """One child process that has ended well.

    Attributes:
        seconds: what it says itself, or else from its start to its end.
        cpu: processor time in these seconds, that of the processes that it started included.
        peak_mb: its own highest resident memory, in 10⁶ bytes.
        children_mb: the highest sum of that of the processes it had started; 0: it started none.
        said: the JSON object that it printed last; empty: none.
    """

    seconds: float
    cpu: float
    peak_mb: float
    children_mb: float
    said: dict[str, Any] = field(default_factory=dict)


def compile_product() -> None:
    """Compile what is measured, as installing does."""
    compileall.compile_dir(Path(bioduty_xl.__file__).parent, quiet=2)


class Failed(RuntimeError):
    """A child process ended badly; the text is what it wrote."""


def script(name: str) -> tuple[str, ...]:
    """The command of a script of this folder."""
    return (sys.executable, "-P", str(Path(__file__).with_name(name)))


def module(name: str) -> tuple[str, ...]:
    """The command of a module, ours or the product's."""
    return (sys.executable, "-P", "-m", name)


def run(command: Sequence[str], more: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    Args:
        more: what it finds in its environment beside ours.

    Raises:
        Failed: its status is not 0.
    """
    started = read_clocks()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**_environment(), **(more or {})},
    )
    watch = _Watch(process.pid)
    out, err = process.communicate()
    took = read_clocks() - started
    watch.end()
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}: status {process.returncode}\n{err}")
    said = _last_object(out)
    seconds, cpu = said.pop("seconds", took.wall), said.pop("cpu", took.children)
    return Run(seconds, cpu, watch.own_mb, watch.children_mb, said)


def _environment() -> dict[str, str]:
    """Ours, with the product that this process has, wherever it is, before anything else."""
    roots = (Path(bioduty_xl.__file__).parents[1], Path(__file__).parents[1])
    paths = [*dict.fromkeys(map(str, roots)), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    kept = {key: value for key, value in os.environ.items() if key != _UNCOMPILED}
    return {**kept, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def _last_object(out: str) -> dict[str, Any]:
    lines = [line for line in out.splitlines() if line.startswith('{"')]
    return dict(json.loads(lines[-1])) if lines else {}


class _Watch:
    """Looks at a process and its descendants until told to end."""

    def __init__(self, pid: int) -> None:
        self.own_mb = self.children_mb = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        pause = WATCH_SECONDS / 10  # a short process is looked at more often
        while not self._over.wait(pause):
            self.own_mb = max(self.own_mb, _peak_mb(self._pid))
            children = sum(map(_peak_mb, _descendants(self._pid)))
            self.children_mb = max(self.children_mb, children)
            pause = min(WATCH_SECONDS, pause * 1.5)


def _descendants(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:  # it has just ended
        return []


def _peak_mb(pid: int) -> float:
    """The highest resident memory of a process so far; where the system keeps no mark, what it
    holds now; 0 when it has ended.
    """
    try:
        mark = _MARK.search(Path(f"/proc/{pid}/status").read_text("ascii", "replace"))
        if mark:
            return int(mark[1]) * 1024 / _MB
        return float(psutil.Process(pid).memory_info().rss) / _MB
    except (OSError, psutil.Error):
        return 0.0
