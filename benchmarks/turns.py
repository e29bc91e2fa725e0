"""Contests: ways to do the same work, run in turn, round after round, and what that gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median

from benchmarks.children import Run, run
from benchmarks.steps import PROFILE

COUNTED = ("answered", "missing")
"""What a result comes to: required items with an answer, and without one."""

Clock = Callable[[Run], float]
"""Which time of a run counts."""

WALL: Clock = attrgetter("seconds")
CPU: Clock = attrgetter("cpu")


@dataclass(frozen=True)
class Way:
    """One way to do a piece of work, as a process of its own.

    Attributes:
        key: short name, for other ways to be held against it.
        title: as tables name it.
        command: what is run.
        prepare: called before each run, and not timed.
    """

    key: str
    title: str
    command: Sequence[str]
    prepare: Callable[[], None]


@dataclass(frozen=True)
class Contest:
    """Ways that are held against each other.

    Attributes:
        part: what is done, such as `collect`.
        title: as tables name it.
        size: units of the city; 0: it does not depend on one.
        piece: what a single cost is of: `file`, `row`, `run`.
        pieces: how many of them a run does, where its process does not say.
        ways: ours first.
        against: key of the way that ratios are to.
        counts: by the way's key, what its result comes to, asked for after its first run; a way
            that is not here says so itself. All must come to the same.
        notes: what has to be known about the figures.
    """

    part: str
    title: str
    size: int
    piece: str
    pieces: int
    ways: Sequence[Way]
    against: str
    counts: Mapping[str, Callable[[], Mapping[str, int]]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some figures."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """The spread of at least one figure."""
        found = list(figures)
        return cls(median(found), min(found), max(found))


@dataclass
class Score:
    """What a contest gave.

    Attributes:
        contest: the contest.
        runs: by the way's key, one a round.
        counts: by the way's key, what its result comes to.
        profile: where ours spends its time, if that was asked; see `sampling`.
    """

    contest: Contest
    runs: dict[str, list[Run]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    profile: dict[str, float] = field(default_factory=dict)

    def seconds(self, key: str) -> Spread:
        """Of a way's whole runs."""
        return Spread.of(one.seconds for one in self.runs[key])

    def costs(self, key: str, clock: Clock = WALL) -> list[float]:
        """Milliseconds for each piece, one a round."""
        pieces = self.contest.pieces
        return [1000 * clock(one) / (one.said.get("pieces") or pieces) for one in self.runs[key]]

    def ratio(self, key: str, against: str, clock: Clock = WALL) -> Spread:
        """A way's cost to another's for the same piece, round by round."""
        pairs = zip(self.costs(key, clock), self.costs(against, clock), strict=True)
        return Spread.of(mine / theirs for mine, theirs in pairs)

    def peak_mb(self, key: str) -> float:
        """Of the process itself, in its worst round."""
        return max(one.peak_mb for one in self.runs[key])

    def children_mb(self, key: str) -> float:
        """Of the processes that it started, in its worst round."""
        return max(one.children_mb for one in self.runs[key])

    @property
    def agrees(self) -> bool:
        """Whether all ways came to the same."""
        counted = list(self.counts.values())
        return all(one == counted[0] for one in counted)


def take_turns(
    contests: Sequence[Contest], rounds: int, tell: Callable[[str], None]
) -> list[Score]:
    """Run every way of every contest once a round, so that what disturbs one disturbs all.

    Args:
        contests: of the same work in several sizes.
        tell: called with what is run next.
    """
    scores = [Score(contest) for contest in contests]
    for number in range(rounds):
        for score in scores:
            for way in score.contest.ways:
                tell(f"{score.contest.title}, {score.contest.size or ''} {way.title}: {number + 1}")
                way.prepare()
                score.runs.setdefault(way.key, []).append(run(way.command))
                if number == 0:
                    _count(score, way)
    return scores


def profile(score: Score) -> None:
    """Run ours once more, and note where its time goes; whole processes do not say that."""
    ours = score.contest.ways[0]
    if "benchmarks.steps" in ours.command:
        ours.prepare()
        score.profile = run(ours.command, {PROFILE: "1"}).said["profile"]


def _count(score: Score, way: Way) -> None:
    said, ask = score.runs[way.key][0].said, score.contest.counts.get(way.key)
    if ask is not None:
        score.counts[way.key] = dict(ask())
    elif said.keys() >= set(COUNTED):
        score.counts[way.key] = {key: said[key] for key in COUNTED}
