"""Where commands log what they do: on stderr what people should see, in a file all of it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any


def to_stderr(verbose: bool, *, own_process: bool) -> None:
    """Warnings, or everything; the log file always gets what was done.

    Args:
        own_process: the process is the command's own; another program's logging is left alone.
    """
    if own_process:
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logger = logging.getLogger("bioduty_xl")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.DEBUG if verbose else logging.WARNING)


class _LogFile(logging.FileHandler):
    """A log file that is made, with its folder, when there is something to write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)

    def _open(self) -> Any:
        Path(self.baseFilename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return super()._open()


def to_file(state_dir: Path) -> None:
    """Log to `bioduty.log` as well, once a process."""
    logger = logging.getLogger("bioduty_xl")
    if not any(isinstance(handler, logging.FileHandler) for handler in logger.handlers):
        handler = _LogFile(state_dir / "bioduty.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
