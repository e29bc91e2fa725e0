"""The catalogue of findings: every rule once, and the judgement of returns by all of them."""

from __future__ import annotations

from collections import defaultdict

from bioduty_xl.domain.returns import Finding
from bioduty_xl.rules import entry_rules, quarter_rules, return_rules, text_rules
from bioduty_xl.rules.rule import Case, Hit, Quarter, QuarterRule, Rule


def all_rules() -> tuple[Rule, ...]:
    """Every rule on a single return, those on single answers first."""
    return (*entry_rules.RULES, *text_rules.RULES, *return_rules.RULES)


def quarter_wide_rules() -> tuple[QuarterRule, ...]:
    """Every rule that compares units."""
    return quarter_rules.RULES


def judge(case: Case, off: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """The findings of a return, its repairs first.

    Args:
        off: codes that are not wanted.
    """
    found = list(case.returned.repairs)
    for rule in all_rules():
        found += (_finding(rule, hit) for hit in rule.check(case))
    return tuple(finding for finding in found if finding.code not in off)


def compare(quarter: Quarter, off: frozenset[str] = frozenset()) -> dict[str, tuple[Finding, ...]]:
    """The findings that come of comparing a period's returns, by unit code.

    Args:
        off: codes that are not wanted.
    """
    found: dict[str, list[Finding]] = defaultdict(list)
    for rule in quarter_wide_rules():
        for unit, hit in rule.check(quarter) if rule.code not in off else ():
            found[unit].append(_finding(rule, hit))
    return {unit: tuple(findings) for unit, findings in found.items()}


def _finding(rule: Rule | QuarterRule, hit: Hit) -> Finding:
    return Finding(rule.code, rule.severity, hit.message, hit.sheet, hit.cell, hit.item, hit.about)
