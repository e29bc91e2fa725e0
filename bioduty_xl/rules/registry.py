"""The catalogue of findings: every rule once, and the judgement of returns by all of them.

Who looks at a period alone compares units, and is spared the rules on single returns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from bioduty_xl.config import Rules
from bioduty_xl.domain.returns import Finding
from bioduty_xl.rules.rule import Case, Hit, Quarter, QuarterRule, Rule


def all_rules() -> tuple[Rule, ...]:
    """Every rule on a single return, those on single answers first."""
    from bioduty_xl.rules import entry_rules, return_rules, text_rules

    return (*entry_rules.RULES, *text_rules.RULES, *return_rules.RULES)


def quarter_wide_rules() -> tuple[QuarterRule, ...]:
    """Every rule that compares units."""
    from bioduty_xl.rules import quarter_rules

    return quarter_rules.RULES


def every_rule() -> tuple[Rule | QuarterRule, ...]:
    """Every rule of both kinds."""
    return (*all_rules(), *quarter_wide_rules())


def judge(case: Case) -> tuple[Finding, ...]:
    """The findings of a return, its repairs first, as the settings want them."""
    found = list(case.returned.repairs)
    for rule in all_rules():
        found += (_finding(rule, hit) for hit in rule.check(case))
    return as_wanted(found, case.tuning)


def compare(quarter: Quarter) -> dict[str, tuple[Finding, ...]]:
    """The findings that come of comparing a period's returns, by unit code, as the settings want
    them.
    """
    found: dict[str, list[Finding]] = defaultdict(list)
    for rule in quarter_wide_rules():
        for unit, hit in rule.check(quarter):
            found[unit].append(_finding(rule, hit))
    wanted = {unit: as_wanted(findings, quarter.tuning) for unit, findings in found.items()}
    return {unit: findings for unit, findings in wanted.items() if findings}


def as_wanted(findings: Iterable[Finding], settings: Rules) -> tuple[Finding, ...]:
    """Findings without those that are switched off, each with the weight that is set for it."""
    return tuple(
        replace(finding, severity=settings.severity.get(finding.code, finding.severity))
        for finding in findings
        if finding.code not in settings.off
    )


def _finding(rule: Rule | QuarterRule, hit: Hit) -> Finding:
    return Finding(rule.code, rule.severity, hit.message, hit.sheet, hit.cell, hit.item, hit.about)
