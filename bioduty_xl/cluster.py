"""Workers on other machines: the executor that a name such as `dask://host:port` stands for.

Only files are sent there to be read; what they say is judged, recorded and kept here.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from bioduty_xl.errors import BiodutyError, ConfigError

_NAME = re.compile(r"dask://([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})/?")

_SECONDS = 15
"""How long the scheduler, and the first worker, may take to answer."""


@contextmanager
def executor_of(name: str) -> Iterator[Executor]:
    """The workers that a name stands for, for as long as the block lasts.

    Args:
        name: `dask://host:port`, the address of a dask scheduler; its workers need this package in
            the same version.

    Raises:
        ConfigError: the name says something else, or dask is not installed here.
        BiodutyError: the scheduler cannot be reached, or has no worker that has this package.
    """
    named = _NAME.fullmatch(name)
    if named is None or not 0 < int(named[2]) < 1 << 16:
        raise ConfigError(f"--executor 应写成 dask://主机:端口，不能写“{name}”")
    try:
        import distributed
    except ImportError:
        raise ConfigError("没有安装 dask，请执行 pip install 'bioduty-xl[dask]'") from None
    connect: Any = distributed.Client  # which tells no types
    address = f"tcp://{named[1]}:{named[2]}"
    try:
        client = connect(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BiodutyError(
            f"连接不上 dask 调度程序 {address}，请检查地址和网络", str(error)
        ) from None
    with client:
        _require_workers(client, address)
        yield client.get_executor(pure=False)


def _require_workers(client: Any, address: str) -> None:
    """That there is a worker, and that each has this package: one without it ends itself when it is
    sent work that it cannot unpack. What is asked travels whole, and needs nothing there.
    """
    try:
        client.wait_for_workers(1, timeout=_SECONDS)
    except TimeoutError:
        raise BiodutyError(f"dask 调度程序 {address} 没有工作进程，请先启动") from None
    has_it = client.run(lambda: importlib.util.find_spec("bioduty_xl") is not None)
    lacking = sorted(worker for worker, is_there in has_it.items() if not is_there)
    if lacking:
        raise BiodutyError(
            "dask 的下列工作进程没有安装 bioduty-xl，请安装与本机相同的版本", *lacking
        )
