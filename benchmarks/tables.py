"""The report: tables as plain text or as Markdown, from scores alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.goals import Judgement
from benchmarks.returns import Returns
from benchmarks.turns import CPU, WALL, Score, Spread

PROFILED = 30
"""How many lines of a profile are shown."""


@dataclass(frozen=True)
class Table:
    """A title, headings, rows of text, and what has to be said below.

    Attributes:
        words: how many columns are of words, from the left; the others are of figures.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    words: int = 1

    def as_text(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]
        lines = [_padded(row, widths, self.words) for row in (self.headings, *self.rows)]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, "", lines[0], rule, *lines[1:], *self.notes])

    def as_markdown(self) -> str:
        """For a document."""
        marks = ["---" if n < self.words else "---:" for n in range(len(self.headings))]
        rows = (f"| {' | '.join(row)} |" for row in (self.headings, marks, *self.rows))
        notes = (f"\n{note}" for note in self.notes)
        return "\n".join([f"### {self.title}", "", *rows, *notes])


def report(
    machine: Mapping[str, str],
    returns: Mapping[int, Returns],
    scores: Sequence[Score],
    judgements: Sequence[Judgement],
) -> list[Table]:
    """All tables, goals first."""
    return [
        _goals(judgements),
        *map(_contest, scores),
        *(_profile(score) for score in scores if score.profile),
        *_growth(scores),
        _returns(returns),
        Table("Machine", ("what", "kind"), list(machine.items()), words=2),
    ]


def _goals(judgements: Sequence[Judgement]) -> Table:
    rows = [
        (
            one.title,
            f"{one.size:,}" if one.size else "",
            f"{_figure(one.measured.median)} {one.unit}".rstrip(),
            _range(one.measured),
            f"{_figure(one.cpu)} {one.unit}".rstrip() if one.cpu else "",
            f"{one.most:g} {one.unit}".rstrip(),
            "reached" if one.reached else "not reached",
        )
        for one in judgements
    ]
    headings = ("goal", "units", "measured", "spread", "by CPU", "at most", "")
    return Table("Goals", headings, rows)


def _contest(score: Score) -> Table:
    held = score.contest
    size = f", {held.size:,} units" if held.size else ""
    rows = [
        (
            way.title,
            *(_figure(score.seconds(way.key).median), _range(score.seconds(way.key))),
            _figure(Spread.of(score.costs(way.key)).median),
            _figure(score.ratio(way.key, held.against).median),
            _range(score.ratio(way.key, held.against)),
            _figure(score.ratio(way.key, held.against, CPU).median),
            f"{score.peak_mb(way.key):.0f}",
            f"{score.children_mb(way.key):.0f}" if score.children_mb(way.key) else "",
        )
        for way in held.ways
    ]
    headings = (
        *("way", "s", "spread", f"ms/{held.piece}"),
        *("ratio", "spread", "by CPU", "peak MB", "children MB"),
    )
    return Table(f"{held.title}{size}", headings, rows, list(_notes(score)))


def _notes(score: Score) -> Iterator[str]:
    against = next(way for way in score.contest.ways if way.key == score.contest.against)
    if len(score.contest.ways) > 1:
        yield f"Ratios are to “{against.title}”, of what one {score.contest.piece} costs."
    for key, runs in score.runs.items():
        parts = {name: told for name, told in runs[0].said.items() if isinstance(told, float)}
        if parts:
            whole = sum(one.seconds for one in runs)
            shares = ", ".join(
                f"{name} {100 * sum(one.said[name] for one in runs) / whole:.0f} %"
                for name in parts
            )
            yield f"Of {key}: {shares}; the rest is the start of Python and imports."
    yield from score.contest.notes
    if score.counts:
        told = "; ".join(f"{key} {counts}" for key, counts in score.counts.items())
        yield f"{'All agree' if score.agrees else 'THEY DISAGREE'}: {told}.".replace("'", "")


def _profile(score: Score) -> Table:
    """The functions in which most of the time is spent, callers and callees alike."""
    shares = list(score.profile.items())[:PROFILED]
    size = f", {score.contest.size:,} units" if score.contest.size else ""
    return Table(
        f"{score.contest.title}{size}: where the processor's time goes",
        ("function, or package that is not ours", "share"),
        [(name, f"{100 * share:.1f} %") for name, share in shares],
    )


def _growth(scores: Sequence[Score]) -> Iterator[Table]:
    """What a file costs, and the memory, by size, where there are several."""
    parts = dict.fromkeys(score.contest.part for score in scores)
    for part in parts:
        held = [score for score in scores if score.contest.part == part]
        if len(held) > 1:
            sizes = [f"{score.contest.size:,}" for score in held]
            rows = [
                (
                    way.title,
                    *(
                        _figure(Spread.of(score.costs(way.key, clock)).median)
                        for clock in (WALL, CPU)
                        for score in held
                    ),
                    *(
                        f"{score.peak_mb(way.key) + score.children_mb(way.key):.0f}"
                        for score in held
                    ),
                )
                for way in held[0].contest.ways
            ]
            headings = (
                "way",
                *(f"ms/file at {size}" for size in sizes),
                *(f"CPU at {size}" for size in sizes),
                *(f"MB at {size}" for size in sizes),
            )
            yield Table(f"{held[0].contest.title}: growth", headings, rows)


def _returns(returns: Mapping[int, Returns]) -> Table:
    rows = [
        (
            f"{size:,} units",
            f"{made.count:,}",
            *(f"{number:,}" for number in made.written_by.values()),
            *(f"{size / 1000:.1f}" for size in (made.smallest, made.median, made.largest)),
        )
        for size, made in returns.items()
    ]
    writers = next(iter(returns.values())).written_by
    headings = ("city", "returns", *writers, "smallest kB", "median kB", "largest kB")
    missing = [] if len(writers) > 2 else ["LibreOffice is missing here: two writers alone."]
    return Table("Returns", headings, rows, missing)


def _range(spread: Spread) -> str:
    """Least to greatest; empty where there is one figure."""
    if spread.least == spread.greatest:
        return ""
    return f"{_figure(spread.least)}–{_figure(spread.greatest)}"


def _figure(number: float) -> str:
    """Three figures that count; whole ones from a hundred."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number >= 0.001 else f"{number:.1g}"


def _padded(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    cells = zip(row, widths, strict=True)
    return "  ".join(
        text.ljust(width) if number < words else text.rjust(width)
        for number, (text, width) in enumerate(cells)
    ).rstrip()
