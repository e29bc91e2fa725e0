"""Rules on what the texts of a return say: copied, unchanged, contradictory, vague, cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from bioduty_xl.domain.plan import fold
from bioduty_xl.domain.returns import NOTHING_TO_REPORT, Progress, Severity, progress_of
from bioduty_xl.layout.columns import Filler, Kind
from bioduty_xl.layout.sheets import RETURN_FORM
from bioduty_xl.rules.rule import Case, Hit, Rule

ALIKE = 95.0
"""Likeness (rapidfuzz ratio, 0 to 100) to a measure from which an answer counts as copied."""

OWN_SHARE = 5
"""An answer is copied where less than a fifth of it is left without the plan's sentences."""

CUT_LENGTHS = frozenset((255, 256, 1023, 1024, 8192, 32767))
"""Lengths at which programs cut a text off: Excel's old and new limits, and those of databases."""

_DIGITS = re.compile(r"\d+")
_PUNCTUATION = re.compile(r"[\W_]+")
_ENDINGS = "。！？；…）)”』】.!?;"
_NEGATED = re.compile("(?:无|没有|不存在|并无)[^，。；]{0,6}")
_FIGURE = re.compile(
    r"\d|《[^》]+》|[一二两三四五六七八九十百千万]+(?:[个项次人名处场期份件批条套台座亩吨米天月年]|余)"
)
_WITH_RESULTS = frozenset((Progress.ONGOING, Progress.DONE, Progress.CONTINUOUS))
_TEXTS = tuple(c for c in RETURN_FORM.filled_by(Filler.UNIT) if c.kind is Kind.TEXT)


@lru_cache(maxsize=4096)
def core(text: str) -> str:
    """A text as it is compared with others: letters and digits alone, widths and case folded."""
    return _PUNCTUATION.sub("", fold(text))


def done_but_unfinished(case: Case) -> Iterator[Hit]:
    """已完成, and a next step that is full of unfinished work."""
    for entry in case.returned.entries:
        plans = _NEGATED.sub("", case.answer(entry, "next_steps"))
        words = [word for word in case.tuning.unfinished_words if word in plans]
        if progress_of(entry) is Progress.DONE and words:
            yield Hit.at(
                entry,
                "status",
                f"进展状态为“{Progress.DONE.value}”，但“{_heading('next_steps')}”中写有“{words[0]}”，"
                "请核对状态，或改写下一步打算",
            )


def unchanged(case: Case) -> Iterator[Hit]:
    """The same words as last quarter, also where only the figures differ."""
    for entry in case.returned.entries:
        before = case.last.get(entry.item)
        if before is None or progress_of(entry) in NOTHING_TO_REPORT:
            continue
        now, then = core(case.answer(entry, "progress")), core(before["progress"])
        if len(now) < case.tuning.same_text_from or not then:
            continue
        if now == then:
            yield Hit.at(
                entry,
                "progress",
                "与上期所报完全相同，请写明本期新做的工作；确无进展的请如实选择状态",
            )
        elif _DIGITS.sub("#", now) == _DIGITS.sub("#", then):
            yield Hit.at(
                entry, "progress", "与上期所报只有数字不同，请核对数字，并写明本期新做的工作"
            )


def copied_from_plan(case: Case) -> Iterator[Hit]:
    """An answer that repeats what the plan asks for."""
    for entry in case.returned.entries:
        text = core(case.answer(entry, "progress"))
        item = case.plan.by_key.get(entry.item)
        if item is None or len(text) < case.tuning.same_text_from:
            continue
        asked = _asked((item.description, *(measure.text for measure in item.measures)))
        own = text
        for words in asked:
            own = own.replace(words, "")
        repeated = len(own) * OWN_SHARE <= len(text)
        if repeated or any(text in words or _alike(text, words) for words in asked):
            yield Hit.at(
                entry, "progress", "内容与分工方案原文相同，请写本单位实际做了什么、取得什么结果"
            )


@lru_cache(maxsize=256)  # many units answer for the same item
def _asked(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The plan's sentences as they are compared, the longest first."""
    return tuple(sorted(map(core, texts), key=len, reverse=True))


def _alike(text: str, words: str) -> bool:
    from rapidfuzz import fuzz  # where a period is only looked at, none of these rules runs

    return fuzz.ratio(text, words, score_cutoff=ALIKE) > 0


def no_figure(case: Case) -> Iterator[Hit]:
    """Progress without a number, a date or a quantity."""
    for entry in case.returned.entries:
        text = case.answer(entry, "progress")
        if text and progress_of(entry) in _WITH_RESULTS and not _has_figure(text):
            yield Hit.at(entry, "progress", "没有时间、数量等具体内容，建议补充")


def _has_figure(text: str) -> bool:
    return bool(_FIGURE.search(text) or _FIGURE.search(fold(text)))  # most need no folding


def too_long(case: Case) -> Iterator[Hit]:
    """An answer that nobody will read to its end."""
    for entry in case.returned.entries:
        for column in _TEXTS:
            length = len(entry[column.key])
            if length > case.tuning.long_text:
                yield Hit.at(
                    entry,
                    column.key,
                    f"“{column.heading}”有 {length} 字，超过 {case.tuning.long_text} 字，请精简",
                )


def cut_off(case: Case) -> Iterator[Hit]:
    """An answer of a length at which programs cut texts off, that ends in the middle."""
    for entry in case.returned.entries:
        for column in _TEXTS:
            text = entry[column.key]
            if len(text) in CUT_LENGTHS and text.rstrip()[-1:] not in _ENDINGS:
                yield Hit.at(
                    entry,
                    column.key,
                    f"“{column.heading}”正好 {len(text)} 字而没有写完，可能被截断，请核对并补全",
                )


def _heading(key: str) -> str:
    return RETURN_FORM[key].heading


RULES = (
    Rule(
        "DONE_BUT_UNFINISHED",
        Severity.WARNING,
        "状态为已完成，下一步却还有未完成的工作，两者总有一处不实。",
        "核对状态，或者改写下一步打算。",
        done_but_unfinished,
    ),
    Rule(
        "UNCHANGED",
        Severity.WARNING,
        "与上期一字不差或者只改了数字，看不出本期做了什么。",
        "写明本期新做的工作；确无进展的如实选择状态。",
        unchanged,
    ),
    Rule(
        "COPIED_FROM_PLAN",
        Severity.WARNING,
        "方案原文是要求，不是工作开展情况。",
        "写本单位实际做了什么、取得什么结果。",
        copied_from_plan,
    ),
    Rule(
        "NO_FIGURE",
        Severity.WARNING,
        "没有时间、数量和结果的答复难以汇总和核实。",
        "补充时间、数量、文件名称等具体内容。",
        no_figure,
    ),
    Rule(
        "TEXT_TOO_LONG",
        Severity.WARNING,
        "过长的内容难以汇总，印出来也看不完。",
        "精简，只留本期的主要工作和结果。",
        too_long,
    ),
    Rule(
        "TEXT_CUT",
        Severity.WARNING,
        "字数正好是某些程序截断文字的长度，又没有写完，后面的内容可能丢了。",
        "核对并补全。",
        cut_off,
    ),
)
