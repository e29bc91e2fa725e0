"""Work handed to an executor whose workers may fail, go away or never come.

The executor is the caller's, and may be anything: a pool of processes, a cluster, each with errors
of its own. Whatever it fails to do, its user does here instead, where what is wrong with the work
itself comes out; so each way of failing is the same `Lost`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")


class Lost(Exception):
    """Work that an executor has not done; the message is the kind of error that said so."""


def hand_over(executor: Executor, work: Callable[..., T], *arguments: object) -> Future[T]:
    """Have work done by an executor's workers.

    Raises:
        Lost: it takes no more: its workers died, its scheduler has gone, it was shut down.
    """
    try:
        return executor.submit(work, *arguments)
    except Exception as error:
        raise Lost(type(error).__name__) from error


def result_of(future: Future[T], seconds: float) -> T:
    """What a worker has made of work handed over.

    Args:
        seconds: how long to wait at most.

    Raises:
        Lost: the work failed or was cancelled, its worker died, or nothing came in time.
    """
    try:
        return future.result(seconds)
    except Exception as error:
        future.cancel()
        raise Lost(type(error).__name__) from error
