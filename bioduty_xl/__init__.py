"""bioduty-xl: a city's quarterly returns on its biodiversity plan, in Excel workbooks.

from bioduty_xl import Workspace

ws = Workspace.open("path")
ws.generate("2024Q2")
"""

from importlib import import_module
from typing import Any

__all__ = ["BiodutyError", "Collected", "Period", "Plan", "Province", "Standing", "Workspace"]

_HOMES = {
    "BiodutyError": "errors",
    "Collected": "domain.verdict",
    "Period": "domain.period",
    "Plan": "domain.plan",
    "Province": "rollup",
    "Standing": "domain.standing",
    "Workspace": "workspace",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: a command loads only its own part."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
