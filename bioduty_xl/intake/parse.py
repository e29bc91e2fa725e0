"""Runs in the child process: lets a workbook through the gate, opens it, writes down what is in it.

`python -m bioduty_xl.intake.parse MEMORY SECONDS LIMITS` answers each line of its standard input, a
request in JSON, with a line: the request's number and JSON. It judges no return; whatever goes
wrong here costs only this process.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sys
from collections.abc import Mapping

from bioduty_xl.errors import ReturnError
from bioduty_xl.intake import gate
from bioduty_xl.intake.raw import (
    ARCHIVE,
    LOST,
    READY,
    RawBook,
    TooLarge,
    failure,
    out_of_reach,
    refusal,
)

ANSWER_MAX = 64 << 20
"""Characters of an answer; a form's has some ten thousand."""


def parse(content: bytes, form: gate.Format, parts: Mapping[str, bytes | None]) -> RawBook:
    """Everything that identity and answers need from a workbook that has passed the gate.

    Args:
        content: its bytes.
        form: what it is.
        parts: what the gate has unpacked of it.
    """
    match form:
        case gate.Format.XLS:
            from bioduty_xl.intake import xls

            return xls.read(content)
        case gate.Format.ODS:
            from bioduty_xl.intake import ods

            return ods.read(content)
    from bioduty_xl.intake import xlsx

    return xlsx.read(content, parts)


def _answer(request: dict[str, str], limits: gate.Limits) -> str:
    """What is said of one file: first whether it is whole and safe, then what is in it."""
    try:
        content = _content(request["path"], limits)
    except FileNotFoundError:
        return LOST
    except OSError as error:
        return out_of_reach(error)
    except ReturnError as error:
        return refusal(error)
    if hashlib.sha256(content).hexdigest() != request["sha256"]:
        return LOST
    return _said(content, limits)


def _said(content: bytes, limits: gate.Limits) -> str:
    try:
        parts: dict[str, bytes | None] = {}
        form = gate.check(io.BytesIO(content), limits, parts)
        if form is gate.Format.ARCHIVE:
            return ARCHIVE
        return _within(ANSWER_MAX, parse(content, form, parts).to_json())
    except ReturnError as error:
        return refusal(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the reader is no Exception
        return failure(type(error).__name__)


def _content(path: str, limits: gate.Limits) -> bytes:
    """A file's bytes; one that is refused for its size is not read for that."""
    with open(path, "rb") as file:
        gate.check_size(os.fstat(file.fileno()).st_size, limits)
        return file.read()


def _within(most: int, answer: str) -> str:
    if len(answer) > most:
        raise TooLarge
    return answer


def _limit(memory: int) -> None:
    """Cap this process's address space where the system can (on Windows the parent does it)."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":  # macOS does not keep to it
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main() -> None:
    """Answer requests, one a line, until standard input ends.

    Answers have a way out of their own: what a library prints goes nowhere. A reader that hangs
    when nobody is left to stop it is ended by an alarm.
    """
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    limits = gate.Limits(**json.loads(sys.argv[3]))
    _limit(memory)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    answers.write(READY + "\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if sys.platform != "win32":
            signal.alarm(int(2 * seconds) + 5)
        answer = _answer(request, limits)
        if sys.platform != "win32":
            signal.alarm(0)
        answers.write(f"{request['number']} {answer}\n")
        answers.flush()


if __name__ == "__main__":
    main()
