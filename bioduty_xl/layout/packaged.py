"""What travels in the wheel: its version, both templates, and the plan of the letter."""

from __future__ import annotations

from pathlib import Path

PLAN = "responsibility_plan.xlsx"
REGISTER = "register.xlsx"


def packaged(name: str) -> Path:
    """A workbook, or the commented settings file, that comes with the program.

    The wheel holds them in `bioduty_xl/templates`; a checkout holds the workbooks in its top-level
    `templates` and the settings at its root, from which the wheel is built.
    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "templates", package.parent / "templates", package.parent)
    return next(place / name for place in places if (place / name).is_file())


def version() -> str:
    """The installed program's version; empty in a checkout that is not installed."""
    from importlib import metadata  # takes long to import, and few ask

    try:
        return metadata.version("bioduty-xl")
    except metadata.PackageNotFoundError:
        return ""
