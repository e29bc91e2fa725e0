"""Kills `collect` for real, at a chosen system call or after a chosen time."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


def what_is_missing():
    """Why nothing can be killed at a step here; empty where it can."""
    if sys.platform != "linux":
        return "steps are counted on Linux alone"
    return "" if shutil.which("cc") else "no C compiler: steps are counted by a preloaded library"


@dataclass
class Killer:
    """A process whose forked children collect and die."""

    process: subprocess.Popen

    def run(self, root, as_of, steps=(None,), seconds=None, what="collect"):
        """Collect, or run a whole pass, in one child for each of `steps`; returns (exit
        statuses, steps counted).
        """
        request = {
            "what": what,
            "root": str(root),
            "as_of": as_of,
            "steps": list(steps),
            "seconds": list(seconds or [None] * len(steps)),
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["statuses"], [int(count) if count else None for count in answer["counts"]]


@contextmanager
def killing(folder):
    """A `Killer` for as long as the block lasts; its library is compiled into the folder."""
    library = folder / "step_killer.so"
    source = str(HERE / "step_killer.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), source, "-ldl"], check=True
    )
    import bioduty_xl

    found = str(Path(bioduty_xl.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-P", str(HERE / "step_runner.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "PYTHONPATH": os.pathsep.join((found, str(HERE))),
        },
    )
    try:
        yield Killer(process)
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
