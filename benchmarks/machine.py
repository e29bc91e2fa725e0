"""What kind of machine the figures are from: all that they depend on, and no name of it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_LIBRARIES = (
    *("openpyxl", "lxml", "pandas", "xlsxwriter", "python-calamine"),
    *("pyarrow", "polars", "fastexcel"),  # pandas loads pyarrow where it is there
)


def describe(folder: Path) -> dict[str, str]:
    """What it is, by name.

    Args:
        folder: where the runs' files are; what kind of disk that is matters to `collect`.
    """
    found = {
        "System": f"{platform.system()}, {platform.machine()}",
        "Processor": _processor(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "File system": _file_system(folder),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Libraries": ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES),
    }
    return {name: text for name, text in found.items() if text}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _file_system(folder: Path) -> str:
    """The kind of the innermost file system that holds a folder."""
    holding = [
        disk
        for disk in psutil.disk_partitions(all=True)
        if folder.resolve().is_relative_to(disk.mountpoint)
    ]
    return max(holding, key=lambda disk: len(disk.mountpoint)).fstype if holding else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
