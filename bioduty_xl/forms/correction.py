"""The correction copy: a fresh form with a unit's own answers, its cells in question marked.

Filled in and sent back it is the unit's next revision, since it carries the marks of the form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bioduty_xl.domain.plan import Obligation, Plan
from bioduty_xl.domain.returns import ANSWERED, Entry, Finding, Severity, Wording, state_of
from bioduty_xl.forms.content import Content, Frame, Line, Note, Query, Review
from bioduty_xl.forms.style import visible
from bioduty_xl.layout.columns import OWN, Filler
from bioduty_xl.layout.measure import height_for
from bioduty_xl.layout.sheets import CORRECTIONS, RETURN_FORM
from bioduty_xl.layout.table import parse_address

_ANSWERS = tuple(column.key for column in RETURN_FORM.filled_by(Filler.UNIT))
_SIGNED = tuple(entry.key for entry in RETURN_FORM.fields if entry.filled_by is Filler.UNIT)

_WEIGHTS = {Severity.ERROR: "须修改", Severity.WARNING: "请核对"}

_ABOUT = (
    "须修改 {errors} 处，请核对 {warnings} 处。请点击“位置”找到有颜色的单元格，按意见改好，"
    "保存后将本文件返回；批注和本清单不必删除。"
)

_LOWEST = 22.0
"""Height of a line of the list with little in it, in points."""


_TALLEST_NOTE = 600
"""Height of a note in pixels that still fits on a screen."""


@dataclass(frozen=True)
class Correction:
    """What is put into a fresh form.

    Attributes:
        header: the labelled fields that the unit filled, by key.
        entries: its rows by item key.
        findings: what should be mended; errors and warnings.
    """

    header: Mapping[str, str]
    entries: Mapping[str, Entry]
    findings: Sequence[Finding]

    def answered(self, obligations: Sequence[Obligation], wording: Wording) -> int:
        """How many of the required obligations have an answer already."""
        rows = (self.entries.get(duty.item) for duty in obligations if duty.required)
        return sum(state_of(row, wording) in ANSWERED for row in rows)


def corrected(
    fresh: Content, items: Sequence[str], plan: Plan, correction: Correction, frame: Frame
) -> Content:
    """What a correction copy says.

    Args:
        fresh: what the unit's form says.
        items: key of the item in each of its lines.
        correction: the unit's answers, and what to mend in them.
    """
    own = {
        OWN + fresh.filled_in(key.removeprefix(OWN)).strip(): key
        for key in frame.letters
        if key.startswith(OWN)
    }  # of columns whose headings read alike now, the last
    answers = {key: key for key in _ANSWERS} | {key: asked for asked, key in own.items()}
    return replace(
        fresh,
        fields={**fresh.fields, **{key: correction.header.get(key, "") for key in _SIGNED}},
        lines=tuple(
            _answered(line, correction.entries.get(item, Entry(item, {})), answers, frame)
            for line, item in zip(fresh.lines, items, strict=True)
        ),
        review=_review(fresh, items, plan, correction, frame),
    )


def _answered(line: Line, entry: Entry, answers: Mapping[str, str], frame: Frame) -> Line:
    """A line with a unit's answers; a cell that could not be read stays blank.

    Args:
        answers: the entry's key for each of the template's.
    """
    texts = {
        key: "" if asked in entry.unreadable else entry[asked] for key, asked in answers.items()
    }
    sized = [(text, frame.widths[key]) for key, text in texts.items()]
    return Line(line.mark, {**line.texts, **texts}, height_for(sized, least=line.height))


def _review(
    fresh: Content, items: Sequence[str], plan: Plan, correction: Correction, frame: Frame
) -> Review:
    rows = {item: number for number, item in enumerate(items, start=frame.first)}
    ranked = sorted(correction.findings, key=lambda found: (found.severity.value, found.item))
    located = [(finding, _cell_of(finding, rows, frame)) for finding in ranked]
    errors = sum(finding.is_error for finding in ranked)
    return Review(
        fresh.filled_in(CORRECTIONS.heading),
        _ABOUT.format(errors=errors, warnings=len(ranked) - errors),
        tuple(_query(finding, cell, plan) for finding, cell in located),
        _notes(located),
    )


def _cell_of(finding: Finding, rows: Mapping[str, int], frame: Frame) -> str:
    """Where a finding's cell stands in the form; empty where it has none there."""
    if finding.item in rows:
        return f"{frame.letters.get(finding.about, frame.leftmost)}{rows[finding.item]}"
    return frame.values.get(finding.about, "")


def _query(finding: Finding, cell: str, plan: Plan) -> Query:
    item = plan.by_key.get(finding.item)
    weight, task = _WEIGHTS[finding.severity], item.title if item else ""
    texts = {"severity": weight, "task": task, "cell": cell, "message": finding.message}
    sized = [(text, CORRECTIONS[key].width) for key, text in texts.items()]
    height = height_for(sized, least=_LOWEST)
    return Query(finding.severity, weight, task, cell, finding.message, height)


def _notes(located: Sequence[tuple[Finding, str]]) -> tuple[Note, ...]:
    """A note for each cell in question, from the top left."""
    about: dict[str, list[Finding]] = defaultdict(list)
    for finding, cell in located:
        if cell:
            about[cell].append(finding)
    notes = (_note(cell, findings) for cell, findings in about.items())
    return tuple(sorted(notes, key=lambda note: (note.row, note.column)))


def _note(cell: str, findings: Sequence[Finding]) -> Note:
    worst = min((finding.severity for finding in findings), key=lambda severity: severity.value)
    text = "\n".join(f"{_WEIGHTS[found.severity]}：{found.message}" for found in findings)
    row, column = parse_address(cell)
    height = min(_TALLEST_NOTE, 40 + 18 * len(text) // 16)
    return Note(worst, cell, row, column, visible(text).strip(), height)
