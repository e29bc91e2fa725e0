"""Workers on other machines: the executor that a name such as `dask://host:port` stands for.

Only files are sent there to be read; what they say is judged, recorded and kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.language import say

_DASK = "dask://"
_RETRIES = 2
"""How often the cluster gives a chunk whose worker died to another one."""

_SECONDS = 15
"""How long the scheduler may take to answer."""


@contextmanager
def executor_of(name: str) -> Iterator[Executor]:
    """The workers that a name stands for, for as long as the block lasts.

    Args:
        name: `dask://host:port`, the address of a dask scheduler; its workers need this package in
            the same version.

    Raises:
        ConfigError: the name says something else, or dask is not installed here.
        BiodutyError: the scheduler cannot be reached.
    """
    if not name.startswith(_DASK) or name == _DASK:
        raise ConfigError(say("--executor 应写成 dask://主机:端口，不能写“{name}”", name=name))
    try:
        import distributed
    except ImportError:
        raise ConfigError(say("没有安装 dask，请执行 pip install 'bioduty-xl[dask]'")) from None
    connect: Any = distributed.Client  # which tells no types
    address = f"tcp://{name.removeprefix(_DASK)}"
    try:
        client = connect(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BiodutyError(
            say("连接不上 dask 调度程序 {address}，请检查地址和网络", address=address), str(error)
        ) from None
    with client:
        yield client.get_executor(pure=False, retries=_RETRIES)
