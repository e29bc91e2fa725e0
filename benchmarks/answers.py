"""What the units of a city answer: invented, seeded, and as long as such answers are.

A unit's answers carry its file number, so that no two units say the same. The answers of one unit
become another's where that number is replaced (`returns`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from bioduty_xl.demo_text import Author
from bioduty_xl.domain.plan import Item, Obligation, Plan, Role, Unit

BLANK_OPTIONAL = 0.2
"""Share of the optional items that are left blank."""

BLANK_REQUIRED = 0.03
"""Share of the required items that are left blank."""

_SENTENCES = (4, 10)
"""Of what was done, on an item: fewest and most. Who answers for few items writes more on each."""

_SENTENCES_IN_ALL = 20

_ORDINALS = "一二三四五六七八九十"

Answers = dict[str, dict[str, str]]
"""Texts by item and column key."""


def file_number(unit: Unit) -> str:
    """What a unit's answers carry: ASCII, the same length for every unit, and nowhere else."""
    return f"SWDYX-2024-{unit.code}"


def answers_of(unit: Unit, plan: Plan, duties: Sequence[Obligation], seed: str) -> Answers:
    """Texts by item and column key; a blank item has none.

    Args:
        duties: the unit's obligations.
        seed: another one, other answers.
    """
    author = Author(unit, seed)
    chance = random.Random(f"{seed} {unit.code}")
    number, fewest, most = file_number(unit), *_SENTENCES
    sentences = min(max(fewest, _SENTENCES_IN_ALL // len(duties)), most)
    return {
        duty.item: _answer(author, plan.by_key[duty.item], duty.role, number, sentences)
        for duty in duties
        if chance.random() >= (BLANK_REQUIRED if duty.required else BLANK_OPTIONAL)
    }


def signature_of(unit: Unit) -> dict[str, str]:
    """Who filled and who signed, by field key."""
    return Author(unit, "").signature()


def _answer(author: Author, item: Item, role: Role, number: str, sentences: int) -> dict[str, str]:
    told = [author.answer(item, role) for _ in range(sentences)]
    done = "".join(f"{no}是{one['progress']}" for no, one in zip(_ORDINALS, told, strict=False))
    problems = told[0]["problems"]
    features = "".join(one.get("features", "") for one in told)
    texts = {
        "status": told[0]["status"],
        "progress": f"{done}以上工作台账编号{number}。",
        "features": f"{features}（{number}）" if features else "",
        "problems": f"{problems}（{number}）" if problems != "无" else problems,
        "next_steps": "".join(one["next_steps"] for one in told[:2]) + f"（{number}）",
    }
    return {key: text for key, text in texts.items() if text}
