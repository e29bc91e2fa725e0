"""Runs in the child process: opens one workbook and writes down what is in it.

`python -m bioduty_xl.intake.parse MEMORY SECONDS` answers each line of its standard input, a
request in JSON, with a line: the request's number and JSON. It judges nothing; whatever goes wrong
here costs only this process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from bioduty_xl.intake.raw import READY, RawBook, TooLarge

ANSWER_MAX = 64 << 20
"""Characters of an answer; a form's has some ten thousand."""


def parse(path: str, format_: str) -> RawBook:
    """Everything that identity and answers need from a workbook.

    Args:
        path: its bytes.
        format_: a `gate.Format` that is a workbook.
    """
    content = Path(path).read_bytes()
    match format_:
        case "xls":
            from bioduty_xl.intake import xls

            return xls.read(content)
        case "ods":
            from bioduty_xl.intake import ods

            return ods.read(content)
    from bioduty_xl.intake import xlsx

    return xlsx.read(content)


def _answer(request: dict[str, str]) -> str:
    try:
        return _within(ANSWER_MAX, parse(request["path"], request["format"]).to_json())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the reader is no Exception
        return json.dumps({"error": type(error).__name__, "message": str(error)[:500]})


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
        answer = _answer(request)
        if sys.platform != "win32":
            signal.alarm(0)
        answers.write(f"{request['number']} {answer}\n")
        answers.flush()


if __name__ == "__main__":
    main()
