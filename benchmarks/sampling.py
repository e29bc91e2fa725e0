"""Where processor time goes: the stack is looked at every few milliseconds of it. Unix alone."""

from __future__ import annotations

import signal
from collections import Counter
from types import FrameType

EVERY = 0.005
"""Seconds of processor time between two looks."""

_PRODUCT = "bioduty_xl."


class Sampler:
    """Counts, while its block runs, what is on the stack."""

    def __init__(self) -> None:
        self._looks = 0
        self._met: Counter[str] = Counter()

    def __enter__(self) -> Sampler:
        self._before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def shares(self) -> dict[str, float]:
        """The share of time in which each was at work, itself or through others, greatest first:
        the product's functions by name, everything else by its package.
        """
        return {name: count / self._looks for name, count in self._met.most_common()}

    def _look(self, _: int, frame: FrameType | None) -> None:
        self._looks += 1
        met = set()
        while frame is not None:
            met.add(_name(frame))
            frame = frame.f_back
        self._met.update(met)


def _name(frame: FrameType) -> str:
    module = str(frame.f_globals.get("__name__", ""))
    if module.startswith(_PRODUCT):
        return f"{module.removeprefix(_PRODUCT)}.{frame.f_code.co_qualname}"
    return module.partition(".")[0]
