"""LibreOffice as a person's office: one headless instance, driven through UNO by jobs of steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("uno_script.py")

START_SECONDS = 60
JOB_SECONDS = 60

Step = dict[str, Any]


@dataclass(frozen=True)
class Office:
    """A running LibreOffice.

    Attributes:
        python: an interpreter that has the `uno` module.
        address: where the office listens.
    """

    python: str
    address: str

    def run(self, *steps: Step) -> list[Any]:
        """What each step gives; the first workbook opened is the one worked on."""
        job = {"address": self.address, "seconds": START_SECONDS, "steps": steps}
        done = subprocess.run(
            [self.python, str(SCRIPT)],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=START_SECONDS + JOB_SECONDS,
            env=_plain_environment(),
        )
        assert done.returncode == 0, f"status {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def change(self, source: Path, target: Path, *steps: Step) -> list[Any]:
        """Open a workbook, take the steps, store it as what the target's name says."""
        return self.run(opening(source), *steps, storing(target))[1:-1]


def opening(path: Path) -> Step:
    return {"do": "open", "path": str(path)}


def storing(path: Path) -> Step:
    return {"do": "store", "path": str(path), "form": path.suffix[1:]}


def typing(sheet: str, texts: Mapping[str, str]) -> Step:
    """Type texts into cells, by address."""
    return {"do": "texts", "sheet": sheet, "cells": dict(texts)}


def numbering(sheet: str, numbers: Mapping[str, float]) -> Step:
    """Put numbers into cells, by address."""
    return {"do": "numbers", "sheet": sheet, "cells": dict(numbers)}


def reading(sheet: str, *cells: str) -> Step:
    """The texts that cells show, by address."""
    return {"do": "read", "sheet": sheet, "cells": list(cells)}


def what_is_missing() -> str:
    """Why there is no office here; empty where there is one."""
    if shutil.which("soffice") is None:
        return "LibreOffice (soffice) is not installed"
    if python_with_uno() is None:
        return "no Python with LibreOffice's uno module is installed"
    return ""


@cache
def python_with_uno() -> str | None:
    """The first interpreter that can drive LibreOffice: this one, the system's, LibreOffice's."""
    program = Path(shutil.which("soffice") or "").resolve().parent
    candidates = (
        sys.executable,
        *(shutil.which("python3", path=path) for path in (None, os.defpath)),
        shutil.which("python", path=str(program)),
    )
    return next((python for python in filter(None, candidates) if _has_uno(python)), None)


@contextmanager
def running(folder: Path) -> Iterator[Office]:
    """An office with its own profile in a folder, for as long as the block lasts."""
    python, program = python_with_uno(), shutil.which("soffice")
    assert python and program, what_is_missing()
    address = f"pipe,name=bioduty{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [
            program,
            *("--headless", "--invisible", "--norestore", "--nologo", "--nodefault"),
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            f"--accept={address};urp;",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=_plain_environment(),
    )
    office = Office(python, address)
    try:
        office.run()  # waits until it listens
        yield office
    finally:
        _stop(process, office)


def _stop(process: subprocess.Popen[bytes], office: Office) -> None:
    try:
        if process.poll() is None:
            office.run({"do": "quit"})
            process.wait(timeout=20)
    except (AssertionError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)  # its own session: nobody else's processes
        process.wait()


def _has_uno(python: str) -> bool:
    probe = [python, "-c", "import uno"]
    return subprocess.run(probe, capture_output=True, env=_plain_environment()).returncode == 0


def _plain_environment() -> dict[str, str]:
    """Ours, without what would lead another Python to our packages."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if key not in ours}
