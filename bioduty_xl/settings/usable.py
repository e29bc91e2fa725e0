"""What TOML may hold and no setting can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Names of tables and keys, and numbers within arrays, as in the error of a model."""

DEEPEST = 20
"""Arrays and tables in one another beyond which nothing is looked for; no setting is so deep."""

_LARGEST = 64
"""Bits of a number, by TOML's own rule; Python would take more, and refuse to print it."""


def unusable(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """What is read and cannot be handled, each with the name of the error that it would end in."""
    if len(path) > DEEPEST:
        yield path, RecursionError.__name__
    elif isinstance(data, int) and data.bit_length() > _LARGEST:
        yield path, ValueError.__name__
    elif isinstance(data, dict | list):
        parts = data.items() if isinstance(data, dict) else enumerate(data)
        for name, part in parts:
            yield from unusable(part, (*path, name))
