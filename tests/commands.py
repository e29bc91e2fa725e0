"""Runs the command line as another process would."""

import subprocess
import sys


def run(*arguments, cwd=None, env=None):
    """The finished process; the installed package is what runs, not the current folder's."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "bioduty_xl", *map(str, arguments)],
        capture_output=True,
        cwd=cwd,
        env=env,
        encoding="utf-8",
        check=False,
    )


def bioduty(*arguments, cwd=None, expect=0):
    """Its standard output, after it ended as expected."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def failed(*arguments, expect, cwd=None):
    """Its standard error, after it failed as expected: a sentence, no traceback, no result."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == expect, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr
