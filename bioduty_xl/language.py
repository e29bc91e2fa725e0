"""The two languages of the command line: sentences that are Chinese, and English on demand.

The library speaks Chinese. What it says to whoever runs it is `say("…", …)`, which is that Chinese
sentence and remembers what it was made of, so that the command line can print it in English.
Workbooks, letters, mails, 运行情况.txt, a file's `reason`, findings, what is wrong with a row of
the register (which is filled in Chinese) and all JSON are Chinese everywhere: nothing here touches
them.

Which language it is, gettext knows from the environment; `speak` settles that, once, for the
command line alone.
"""

from __future__ import annotations

import codecs
import gettext
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

SETTINGS_FILE = "bioduty.toml"
"""A workspace's settings; the folder that has it is a workspace."""


class Language(StrEnum):
    """What a workspace's settings may say; `AUTO`: as the machine."""

    AUTO = "auto"
    CHINESE = "zh"
    ENGLISH = "en"


LOCALE = Path(__file__).with_name("locale")
"""Compiled catalogues: our own sentences in English, and those of click in Chinese."""

_OURS, _CLICKS = "bioduty_xl", "click"

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where an environment says its language, in gettext's order."""

_SETTING = re.compile(r"""^\s*language\s*=\s*["'](\w+)["']""", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


class Said(str):
    """A Chinese sentence that can be said in English; copied or sent elsewhere, a plain `str`.

    Attributes:
        template: the sentence with named fields, as for `str.format`; the catalogue's key.
        values: what stands in the fields; sentences among them are said in English too.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object]) -> Said:  # noqa: D102
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    def translated(self) -> str:
        """The sentence in the language that was settled."""
        words = gettext.dgettext(_OURS, self.template)
        return words.format(**{key: _told(value) for key, value in self.values.items()})


class _Listed(Said):
    """Sentences one after the other, with a mark between them."""

    parts: Sequence[str]
    mark: str

    def __new__(cls, parts: Iterable[str], mark: str) -> _Listed:
        parts = tuple(parts)
        made = str.__new__(cls, mark.join(parts))
        made.parts, made.mark = parts, mark
        return made

    def translated(self) -> str:
        """All of them in the language that was settled."""
        return translated(self.mark).join(translated(part) for part in self.parts)


def say(template: str, /, **values: object) -> Said:
    """A sentence for whoever runs the program.

    Args:
        template: in Chinese, with named fields; a literal, so that the catalogue can be checked.
        values: of the fields.
    """
    return Said(template, values)


COMMA = say("、")
SEMICOLON = say("；")


def listed(parts: Iterable[str], mark: str = COMMA) -> Said:
    """Names or sentences as one."""
    return _Listed(parts, mark)


def translated(text: str) -> str:
    """A sentence in the language that was settled; any other text as it is."""
    return text.translated() if isinstance(text, Said) else text


def _told(value: object) -> object:
    return translated(value) if isinstance(value, str) else value


def tell(template: str, /, **values: object) -> str:
    """A sentence at once in the language that was settled: what the command line itself says."""
    return say(template, **values).translated()


def speak(language: Language) -> None:
    """Settle the language of this process, for our sentences and for those of click."""
    os.environ["LANGUAGE"] = language.value  # which is where gettext looks first
    for domain in (_OURS, _CLICKS):
        gettext.bindtextdomain(domain, LOCALE)
    gettext.textdomain(_CLICKS)  # click asks for the domain that is current


def language_of(setting: Language, environment: Mapping[str, str]) -> Language:
    """The language to speak.

    Args:
        setting: of the workspace, which wins unless it is `AUTO`.
        environment: the process's; where it says nothing, Windows is asked.
    """
    if setting is not Language.AUTO:
        return setting
    said = next((value for name in _VARIABLES if (value := environment.get(name))), None)
    if said is None:
        return Language.CHINESE if _is_windows_chinese() else Language.ENGLISH
    spoken = (name[:2].lower() for name in said.split(":"))
    return next((_SPOKEN[name] for name in spoken if name in _SPOKEN), Language.ENGLISH)


_SPOKEN = {one.value: one for one in (Language.CHINESE, Language.ENGLISH)}


def _is_windows_chinese() -> bool:
    """Whether Windows shows its own menus in Chinese, of whatever country."""
    if sys.platform != "win32":
        return False
    import ctypes

    primary = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF
    return primary == 0x04  # LANG_CHINESE


def language_setting(folder: Path | None) -> Language:
    """What a workspace's settings file says of the language, `AUTO` where it says nothing.

    Only the head of the file is looked at, and nothing else in it matters: usage texts have to be
    quick, and what is wrong with the file is itself to be said in the language that it asks for.
    """
    try:
        raw = (folder / SETTINGS_FILE).read_bytes() if folder else b""
    except OSError:
        return Language.AUTO
    is_wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Notepad may save it
    text = raw.decode("utf-16" if is_wide else "utf-8-sig", "replace").replace("\r", "\n")
    found = _SETTING.search(_FIRST_TABLE.split(text, maxsplit=1)[0])
    return _SPOKEN.get(found[1], Language.AUTO) if found else Language.AUTO
