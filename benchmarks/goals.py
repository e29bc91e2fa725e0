"""THE GOALS, and whether the figures of one run reach them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.turns import CPU, WALL, Clock, Score, Spread

AT = 1000
"""Returns at which goals are judged; where that was not run, the size nearest to it."""

GROWTH = 1.1
"""What the cost per file, and the memory, may come to in a larger size, of that at `AT`."""


@dataclass(frozen=True)
class Goal:
    """A ratio between two ways of a contest, and what it may be at most."""

    part: str
    way: str
    against: str
    most: float
    title: str


RATIOS = (
    Goal("generate", "ours", "openpyxl", 0.05, "generate : openpyxl load + save, per form"),
    Goal("collect", "ours", "openpyxl", 0.10, "collect : pandas + openpyxl, per file"),
    Goal("sheet", "ours", "xlsxwriter", 0.40, "a big sheet : xlsxwriter, plain"),
    Goal("end", "ours", "pandas", 0.15, "end to end : pandas peer"),
    Goal("end", "ours", "polars", 0.90, "end to end : polars peer"),
)

MILLISECONDS = (
    ("help", 150.0, "bioduty --help"),
    ("status", 400.0, "bioduty status"),
)
"""Commands by their key in the contest, and what they may take."""


@dataclass(frozen=True)
class Judgement:
    """One goal beside what was measured.

    Attributes:
        title: what is held against what.
        size: units; 0: it does not depend on them.
        measured: median and spread over the rounds.
        most: the goal.
        unit: of both; empty for ratios.
        cpu: the median by processor time, which tells more on a busy machine; 0: there is none.
    """

    title: str
    size: int
    measured: Spread
    most: float
    unit: str = ""
    cpu: float = 0.0

    @property
    def reached(self) -> bool:
        """Whether the median is within the goal."""
        return self.measured.median <= self.most


def judge(scores: Sequence[Score]) -> list[Judgement]:
    """Every goal that the contests held can be judged by."""
    return [*_ratios(scores), *_growth(scores), *_commands(scores)]


def _ratios(scores: Sequence[Score]) -> Iterator[Judgement]:
    for goal in RATIOS:
        held = [
            score
            for score in scores
            if score.contest.part == goal.part and goal.against in score.runs
        ]
        if held:
            nearest = min(held, key=lambda score: abs(score.contest.size - AT))
            ratio = nearest.ratio(goal.way, goal.against)
            cpu = nearest.ratio(goal.way, goal.against, CPU).median
            yield Judgement(goal.title, nearest.contest.size, ratio, goal.most, cpu=cpu)


def _growth(scores: Sequence[Score]) -> Iterator[Judgement]:
    """Ours in each size beyond `AT`, held against `AT`."""
    for part in ("generate", "collect", "end"):
        held = [score for score in scores if score.contest.part == part]
        base = next((score for score in held if score.contest.size == AT), None)
        for score in held if base else ():
            assert base is not None
            size = score.contest.size
            if size > AT:
                title = f"{part}, cost per file : that at {AT:,}"
                grown, cpu = (_grown(score, base, clock) for clock in (WALL, CPU))
                yield Judgement(title, size, grown, GROWTH, cpu=cpu.median)
                memory = Spread.of([_memory(score) / _memory(base)])
                yield Judgement(f"{part}, memory : that at {AT:,}", size, memory, GROWTH)


def _grown(large: Score, small: Score, clock: Clock) -> Spread:
    costs = zip(large.costs("ours", clock), small.costs("ours", clock), strict=True)
    return Spread.of(more / less for more, less in costs)


def _memory(score: Score) -> float:
    return score.peak_mb("ours") + score.children_mb("ours")


def _commands(scores: Sequence[Score]) -> Iterator[Judgement]:
    for score in scores:
        if score.contest.part == "commands":
            for key, most, title in MILLISECONDS:
                took, cpu = (Spread.of(score.costs(key, clock)) for clock in (WALL, CPU))
                yield Judgement(title, score.contest.size, took, most, "ms", cpu.median)
