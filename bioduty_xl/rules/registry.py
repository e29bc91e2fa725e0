"""The catalogue of findings: every rule once, and the judgement of a return by all of them."""

from __future__ import annotations

from bioduty_xl.domain.returns import Finding
from bioduty_xl.rules import entry_rules, return_rules
from bioduty_xl.rules.rule import Case, Rule


def all_rules() -> tuple[Rule, ...]:
    """Every rule, those on single answers first."""
    return (*entry_rules.RULES, *return_rules.RULES)


def judge(case: Case, off: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """The findings of a return, its repairs first.

    Args:
        off: codes that are not wanted.
    """
    found = list(case.returned.repairs)
    for rule in all_rules():
        found += (
            Finding(rule.code, rule.severity, hit.message, hit.sheet, hit.cell, hit.item)
            for hit in rule.check(case)
        )
    return tuple(finding for finding in found if finding.code not in off)
