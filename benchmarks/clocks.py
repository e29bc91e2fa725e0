"""Two clocks: the one on the wall, and the processor's, which other programs do not slow."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What the clocks show, in seconds; only differences mean anything.

    Attributes:
        wall: time as people have it.
        own: processor time of this process.
        children: processor time of the processes that it has started and that have ended.
    """

    wall: float
    own: float
    children: float

    def __sub__(self, earlier: Reading) -> Reading:
        return Reading(
            self.wall - earlier.wall,
            self.own - earlier.own,
            self.children - earlier.children,
        )


def read_clocks() -> Reading:
    """What the clocks show now. Windows does not tell the children's time: 0."""
    children = 0.0
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        children = used.ru_utime + used.ru_stime
    return Reading(time.perf_counter(), time.process_time(), children)
