"""Serves one test: runs `collect`, or a whole pass, in forked children, killed at a step or after a
time.

Reads a request a line (JSON) on standard input: {"what": "collect" or "pass", "root", "as_of",
"steps": [n or null, …], "seconds": [s or null, …]}; one child is forked for each step. A child is
killed at its step by the preloaded library, or after its seconds by a signal. Answers with a line:
the wait statuses, and the steps that a child which ran to its end has counted.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from functools import lru_cache

import year

from bioduty_xl import Workspace, publishing, reminding, workspace  # noqa: F401  # once for all
from bioduty_xl.batch import run_pass
from bioduty_xl.domain.calendar import moment
from bioduty_xl.errors import Busy
from bioduty_xl.intake import reader, sandbox  # noqa: F401  # so that children need not import it
from bioduty_xl.plan import register  # noqa: F401

workspace.read_plan = lru_cache(workspace.read_plan)  # read once for all children
killer = ctypes.CDLL(None)
BUSY = 75


def one_pass(root, as_of):
    setattr(*year.stand_in_for_arrival())
    done = run_pass(Workspace.open(root), moment(as_of), lambda *_: None, by_clock=True)
    assert not done.failures, done.failures


def work(request, step, report):
    killer.step_killer_arm(ctypes.c_long(step or 0))
    try:
        if request["what"] == "pass":
            one_pass(request["root"], request["as_of"])
        else:
            Workspace.open(request["root"]).collect(as_of=request["as_of"])
    except Busy:
        os._exit(BUSY)
    os.write(report, json.dumps(killer.step_killer_count()).encode())
    os._exit(0)


for line in sys.stdin:
    request = json.loads(line)
    children, pipes = [], []
    for step in request["steps"]:
        read, report = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                work(request, step, report)
            finally:
                os._exit(1)
        os.close(report)
        children.append(child)
        pipes.append(read)
    started = time.monotonic()
    timers = []
    for child, seconds in zip(children, request["seconds"], strict=True):
        if seconds is not None:
            left = max(0.0, seconds - (time.monotonic() - started))
            timers.append(threading.Timer(left, os.kill, (child, signal.SIGKILL)))
            timers[-1].start()
    # The timers aim at children that are not waited for yet: a zombie's number is not used again.
    for timer in timers:
        timer.join()
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    counts = [os.read(pipe, 100).decode() for pipe in pipes]
    for pipe in pipes:
        os.close(pipe)
    print(json.dumps({"statuses": statuses, "counts": counts}), flush=True)
