"""What a unit sends back, and what an answer amounts to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from bioduty_xl.domain.period import Period
from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.stamp import FormKind


class Progress(StrEnum):
    """进展状态: the words that the form offers."""

    NOT_STARTED = "未启动"
    ONGOING = "推进中"
    DONE = "已完成"
    CONTINUOUS = "长期坚持"
    NO_PROGRESS = "本季度无进展"
    NOT_APPLICABLE = "不涉及"


class ItemState(StrEnum):
    """The five states of a unit × item."""

    NOT_RETURNED = "未返回"
    NOT_FILLED = "返回未填"
    NO_PROGRESS = "无进展"
    NOT_APPLICABLE = "不涉及"
    FILLED = "已填"


NOTHING_TO_REPORT = {
    Progress.NO_PROGRESS: ItemState.NO_PROGRESS,
    Progress.NOT_APPLICABLE: ItemState.NOT_APPLICABLE,
}
"""The choices that stand for an answer, if a reason comes with them."""

MISSING = frozenset({ItemState.NOT_RETURNED, ItemState.NOT_FILLED})
"""States in which a required item counts as missing (缺项)."""

ANSWERED = frozenset(ItemState) - MISSING
"""States in which an item has an answer to consolidate."""


CONTACT_STALE = "CONTACT_STALE"
"""The code of the finding that 联系人名单 repeats beside the contact it is about."""


class Severity(StrEnum):
    """How much a finding weighs: an ERROR is sent back to be mended, a WARNING is said."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True)
class FindingKind:
    """What all findings with the same code have in common; docs/rules.md is made of them.

    Attributes:
        code: stable name, in capitals; by it a finding is switched off.
        severity: unless the settings give another.
        why: what it is for, in Chinese.
        mend: what a unit or the coordinator does about it, in Chinese.
    """

    code: str
    severity: Severity
    why: str
    mend: str


@dataclass(frozen=True)
class Finding:
    """校验意见: something in a return that its unit can mend, or should know.

    Attributes:
        code: stable name of the rule, such as `REQUIRED_BLANK`.
        severity: see `Severity`.
        message: in Chinese: what is wrong, and what to do.
        sheet, cell: where, such as `工作推进情况`, `G9`; empty when it concerns the whole return.
        item: item key, or empty.
        about: key of the column or labelled field that it is about, or empty.
    """

    code: str
    severity: Severity
    message: str
    sheet: str = ""
    cell: str = ""
    item: str = ""
    about: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it has to be mended."""
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a return form as it came back.

    Attributes:
        item: item key.
        answers: text by column key (layout.sheets), as typed; absent columns are empty.
        sheet: name of the sheet it was read from.
        cells: cell address by column key, such as `{"progress": "G9"}`.
        unreadable: keys of columns whose cell holds no answer but an error value, or a formula that
            was never calculated; its text is that value or formula.
    """

    item: str
    answers: Mapping[str, str]
    sheet: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()

    def __getitem__(self, key: str) -> str:
        return self.answers.get(key, "")


@dataclass(frozen=True)
class Contact:
    """One row of the contact form (the letter's Annex 2); phones are text.

    Attributes:
        unit: unit code.
        leader, leader_phone: 分管领导 and telephone.
        office: 主办单位（科室）.
        name, phone: 联系人 and telephone.
        remark: 备注.
    """

    unit: str
    leader: str = ""
    leader_phone: str = ""
    office: str = ""
    name: str = ""
    phone: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Return:
    """返回表: one identified and read form, not yet judged.

    Attributes:
        kind: return form or contact form.
        unit: unit code.
        period: reference period.
        header: the labelled fields above the table (填报人 …) by field key.
        header_cells: their cell addresses.
        entries: the rows of a return form, in plan order.
        contacts: the rows of a contact form.
        repairs: what had to be mended to read it.
    """

    kind: FormKind
    unit: str
    period: Period
    header: Mapping[str, str]
    header_cells: Mapping[str, str]
    entries: tuple[Entry, ...] = ()
    contacts: tuple[Contact, ...] = ()
    repairs: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Wording:
    """Which texts are no answer.

    Attributes:
        placeholders: words that people put where they have nothing to say.
    """

    placeholders: tuple[str, ...] = (
        *("无", "暂无", "没有", "略", "同上", "同前", "见上", "空", "待填", "待补充", "待定"),
        *("同上期", "详见附件", "见附件", "无新进展"),
        *("无进展", "暂无进展", "本季度无进展", "本季度无", "不涉及"),
        *("none", "na", "null", "nil", "nan"),
    )

    @cached_property
    def cores(self) -> tuple[str, ...]:
        """The placeholders as texts are compared with them: letters and digits alone, folded."""
        return tuple(dict.fromkeys(map(_without_punctuation, self.placeholders)))

    @cached_property
    def _known_cores(self) -> frozenset[str]:
        return frozenset(self.cores)

    def is_blank(self, text: str) -> bool:
        """Nothing but white space."""
        return not text.strip()

    def is_placeholder(self, text: str) -> bool:
        """A stand-in such as 无, /, 略, 同上; widths and punctuation do not matter."""
        if self.is_blank(text) or self._is_surely_longer(text):
            return False
        core = _without_punctuation(text)
        return not core or core in self._known_cores

    def _is_surely_longer(self, text: str) -> bool:
        """Whether a text begins with more letters than any placeholder has, so that it need not be
        folded as a whole: most answers do.
        """
        most = self._most_letters
        begins = text[: 2 * most] if len(text) > most else ""
        return len(_PUNCTUATION.sub("", begins)) > most

    @cached_property
    def _most_letters(self) -> int:
        """So many letters may a text have that is one when folded: NFKC makes of three letters one
        at most (Hangul).
        """
        return 3 * max(map(len, self.cores), default=0)

    def is_answer(self, text: str) -> bool:
        """Something was said: neither blank nor a placeholder."""
        return bool(text.strip()) and not self.is_placeholder(text)


REASON_COLUMNS = ("progress", "problems", "remark")
"""Columns in which a reason for 本季度无进展 or 不涉及 may stand."""


def reason_in(entry: Entry, wording: Wording) -> str:
    """The reason that an entry gives for having nothing to report; empty if it gives none."""
    texts = (entry[key] for key in REASON_COLUMNS if key not in entry.unreadable)
    return next((text for text in texts if wording.is_answer(text)), "")


def state_of(entry: Entry | None, wording: Wording) -> ItemState:
    """Which of the five states an obligation is in.

    Args:
        entry: the row of the return that counts; None when nothing came back.
    """
    if entry is None:
        return ItemState.NOT_RETURNED
    chosen = progress_of(entry)
    if chosen in NOTHING_TO_REPORT:
        return NOTHING_TO_REPORT[chosen] if reason_in(entry, wording) else ItemState.NOT_FILLED
    if wording.is_answer(entry["progress"]) and "progress" not in entry.unreadable:
        return ItemState.FILLED
    return ItemState.NOT_FILLED


def progress_of(entry: Entry) -> Progress | None:
    """The 进展状态 chosen, widths and blanks folded; None when blank or none of the words."""
    return _PROGRESS.get(fold(entry["status"]))


_PROGRESS = {fold(progress.value): progress for progress in Progress}


def shortened(text: str, most: int) -> str:
    """A text as it is quoted: so many characters at most, the cut shown."""
    return text if len(text) <= most else text[:most] + "…"


@lru_cache(maxsize=1024)
def _without_punctuation(text: str) -> str:
    return _PUNCTUATION.sub("", fold(text))


_PUNCTUATION = re.compile(r"(?:[^\w\0]|_)+")
"""Whatever is neither letter nor digit (Unicode's categories L and N), the end mark left alone."""
