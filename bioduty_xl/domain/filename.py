"""Names of files made from names in the data: what any system takes, and no two the same.

The strictest is Windows; its rules are followed everywhere, because what is made on one machine is
opened on another.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

MOST_BYTES = 120
"""Bytes in UTF-8 that a name from the data may take of the 255 of a file's whole name: forty
Chinese characters, and room for what stands around it.
"""

_FORBIDDEN = frozenset('\\/:*?"<>|')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])\s*(?=\.|$)", re.IGNORECASE
)
"""Devices of Windows, with any extension."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs"))
"""Categories of letters that are not shown; some file systems do not see them in a name either."""

_RUN_BY_SYSTEMS = (
    *("bat", "cmd", "com", "exe", "scr", "pif", "cpl", "msc", "msi", "msix", "msp", "appx", "jar"),
    *("ps1", "ps1xml", "psm1", "psd1", "psc1", "vbs", "vbe", "js", "jse", "wsf", "wsh", "wsc"),
    *("hta", "sct", "reg", "inf", "lnk", "url", "scf", "gadget", "application", "appref-ms"),
    *("ws", "vb", "chm", "hlp", "xll", "wll", "settingcontent-ms", "library-ms", "search-ms"),
    *("sh", "bash", "csh", "ksh", "zsh", "fish", "command", "tool", "app", "workflow", "desktop"),
    *("run", "appimage", "dll", "ocx", "sys", "drv", "so", "dylib"),
)
_RUN_BY_LANGUAGES = ("py", "pyw", "pyc", "pyo", "pyd", "pyz", "pyzw", "pth", "pl", "rb", "php")
_RUNNABLE = re.compile(
    rf"\.(?:{'|'.join((*_RUN_BY_SYSTEMS, *_RUN_BY_LANGUAGES))}|so\.[0-9.]+)[. ]*$", re.IGNORECASE
)


def clean_name(name: str) -> str:
    """A name as it may stand in, or be, the name of a file; an ordinary name stays as it is.

    Never empty, no longer than `MOST_BYTES`; does not begin as names of temporary files do. Other
    names may come out the same: see `distinct_names`.
    """
    text = "".join(map(_allowed, unicodedata.normalize("NFC", name)))
    text = _shortened(text.strip()).rstrip(". ")
    if text.startswith((".", "~")):
        text = f"_{text[1:]}"
    device = _RESERVED.match(text)
    if device:
        text = f"{device[0]}_{text[device.end() :]}"
    return text or "_"


def _allowed(char: str) -> str:
    if unicodedata.category(char)[0] == "Z":  # blanks of every width, breaks of lines
        return " "
    is_seen = unicodedata.category(char)[0] != "C"
    return char if is_seen and char not in _FORBIDDEN else "_"


def _shortened(text: str) -> str:
    while len(text.encode()) > MOST_BYTES:
        text = text[:-1]
    return text


def distinct_names(names: Mapping[str, str]) -> dict[str, str]:
    """A clean name for each, of which no two are the same, also where case does not count; those
    that would be are told apart by their keys.

    Args:
        names: by a key that each has for itself, such as a unit's code.
    """
    found = {key: clean_name(name) for key, name in names.items()}
    for _ in range(2):  # what was told apart may by chance be what another one is called
        known = Counter(map(folded, found.values()))
        found = {
            key: name
            if known[folded(name)] == 1
            else f"{clean_name(names[key])}（{clean_name(key)}）"
            for key, name in found.items()
        }
    return found


def is_portable(name: str) -> bool:
    """Whether any system takes one part of a path as it stands, for a file of that name."""
    return bool(
        name.strip(". ")
        and not name.endswith((".", " "))
        and not _FORBIDDEN & set(name)
        and not any(unicodedata.category(char) in _UNSEEN for char in name)
        and not _RESERVED.match(name)
    )


def is_runnable(name: str) -> bool:
    """Whether a file of a name may be run, or loaded into a program, by whoever double-clicks it or
    looks for another file beside it. Workbooks and documents are none, macros or not.
    """
    return _RUNNABLE.search(name) is not None


def folded(name: str) -> str:
    """A name as it is where neither case nor the way its letters are composed counts: two names
    that come out the same may be one file.
    """
    return unicodedata.normalize("NFC", name.casefold())
