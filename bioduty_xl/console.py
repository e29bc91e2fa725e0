"""What every command of ours does about the console that it may have, and about what went wrong:
it survives streams that cannot show every character or are not there, and ends with one sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bioduty_xl.errors import BiodutyError, Busy, ConfigError, refusal
from bioduty_xl.language import tell

FAILED, USAGE, BUSY = 1, 2, 75
"""Exit status of what went wrong."""


def make_usable() -> None:
    """Have stdout and stderr take whatever is said; to be called before anything else is opened."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _open_what_is_closed() -> None:
    """Let what is said go nowhere where there is no console (pythonw, a service, `>&-`). Otherwise
    the next file that is opened would be given the number of stdout or stderr.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # is given the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def reported() -> Iterator[None]:
    """One sentence and an exit status for what the operator must mend, never a traceback."""
    try:
        yield
    except BiodutyError as error:
        click.echo(tell("错误：{error}", error=error.said), err=True)
        code = {Busy: BUSY, ConfigError: USAGE}.get(type(error), FAILED)
        raise SystemExit(code) from None
    except BrokenPipeError:
        raise  # nobody is left who would read a sentence; click ends quietly
    except OSError as error:
        click.echo(tell("错误：{error}", error=refusal(error)), err=True)
        raise SystemExit(FAILED) from None
