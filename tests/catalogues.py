"""What the code says, read from its syntax trees, and the catalogues that translate it.

Nothing is imported to find the messages: a literal counts where it stands.
"""

from __future__ import annotations

import ast
import inspect
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter

import click
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

import bioduty_xl

PACKAGE = Path(bioduty_xl.__file__).parent
LOCALE = PACKAGE / "locale"
OURS = LOCALE / "en" / "LC_MESSAGES" / "bioduty_xl.po"
CLICKS = LOCALE / "zh" / "LC_MESSAGES" / "click.po"

CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")

_SPEAKERS = {"say", "tell"}
_COMMANDS, _LANGUAGE = {"cli.py", "offline.py"}, "language.py"

Place = str
"""Module and line, for whoever reads a failure."""


@dataclass
class Found:
    """What one module says.

    Attributes:
        messages: each template, and where.
        unclear: calls whose template is no literal, so that nothing can be checked.
        unmarked: Chinese literals that are said to nobody.
        in_errors: those of them that stand in an operator's error that is raised.
    """

    messages: dict[str, Place] = field(default_factory=dict)
    unclear: list[Place] = field(default_factory=list)
    unmarked: list[tuple[Place, str]] = field(default_factory=list)
    in_errors: list[tuple[Place, str]] = field(default_factory=list)


OPERATORS_ERRORS = {
    *("BiodutyError", "ConfigError", "PlanError", "LedgerError", "TemplateError"),
    *("Altered", "Busy"),
}


def modules() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def found_in(path: Path) -> Found:
    """The messages and the unmarked literals of one module."""
    return _Reader(path).read()


def all_messages() -> dict[str, Place]:
    return {text: place for path in modules() for text, place in found_in(path).messages.items()}


class _Reader(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(PACKAGE))
        self.found = Found()
        self.marked: set[ast.AST] = set()
        self.errors = 0

    def read(self) -> Found:
        self.visit(ast.parse(self.path.read_text(encoding="utf-8")))
        return self.found

    def place(self, node: ast.AST) -> Place:
        return f"{self.name}:{getattr(node, 'lineno', 0)}"

    def _is_speaker(self, call: ast.Call) -> bool:
        """Whether this is one of the speakers handing its template on to another."""
        return self.name == _LANGUAGE and isinstance(call.args[0], ast.Name)

    def take(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.found.messages.setdefault(node.value, self.place(node))
            self.marked.add(node)
        else:
            self.found.unclear.append(self.place(node))

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if getattr(node.func, "id", "") in _SPEAKERS and not self._is_speaker(node):
            self.take(node.args[0])
        if self.name in _COMMANDS:
            for keyword in node.keywords:
                if keyword.arg == "help" and not isinstance(keyword.value, ast.Name):
                    self.take(keyword.value)
        is_error = name in OPERATORS_ERRORS
        self.errors += is_error
        self.generic_visit(node)
        self.errors -= is_error

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        text = ast.get_docstring(node, clean=False)
        if text is not None:
            docstring = node.body[0].value  # type: ignore[attr-defined]
            self.marked.add(docstring)
            if self.name in _COMMANDS and CHINESE.search(text):
                self.found.messages.setdefault(inspect.cleandoc(text), self.place(node))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else a docstring
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        is_said = node in self.marked or not isinstance(node.value, str)
        if is_said or not CHINESE.search(str(node.value)):
            return
        self.found.unmarked.append((self.place(node), str(node.value)))
        if self.errors:
            self.found.in_errors.append((self.place(node), str(node.value)))


def clicks_messages() -> set[str | tuple[str, str]]:
    """What the installed click asks gettext for."""
    found: set[str | tuple[str, str]] = {"required"}  # which it asks for by a variable
    for path in Path(click.__file__).parent.glob("[!_]*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in ("_", "gettext", "ngettext"):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if texts:
                    found.add(texts[0] if name != "ngettext" else (texts[0], texts[1]))
    return found


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def translations(path: Path) -> dict[str | tuple[str, str], str]:
    """Translation by message; the plural's where there is one."""
    return {
        message.id if isinstance(message.id, str) else tuple(message.id): (
            message.string if isinstance(message.string, str) else message.string[-1]
        )
        for message in read(path)
        if message.id
    }


def fields(text: str) -> set[str]:
    """The values that a template is filled with: `period` of `{period.label}`."""
    named = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    old = re.findall(r"%\((\w+)\)", text)
    return {re.split(r"[.\[]", name)[0] for name in named} | set(old)


def renew() -> None:
    """Take new messages into our catalogue, untranslated, drop what is no longer said, and
    compile both.
    """
    known = translations(OURS)
    catalog = Catalog(locale="en")
    places = {text: place.partition(":")[0] for text, place in all_messages().items()}
    for text in sorted(places, key=lambda text: (places[text], text)):
        catalog.add(text, known.get(text, ""), auto_comments=[places[text]])
    write(OURS, catalog)
    for path in (OURS, CLICKS):
        path.with_suffix(".mo").write_bytes(compiled(path))


def write(path: Path, catalog: Catalog) -> None:
    """A catalogue under the heading that its file has."""
    heading = path.read_bytes().partition(b"\n\n")[0] + b"\n\n"
    with path.open("wb") as file:
        file.write(heading)
        write_po(file, catalog, width=96, omit_header=True, no_location=True)


def compiled(path: Path) -> bytes:
    """A catalogue as gettext reads it; the same catalogue gives the same bytes."""
    heading = re.findall(
        r'^"(.*)\\n"$', path.read_text(encoding="utf-8").partition("\n\n")[0], re.M
    )
    texts = {b"": "".join(f"{line}\n" for line in heading).encode()}
    for message in read(path):
        if message.id and message.string:
            texts[_joined(message.id)] = _joined(message.string)
    keys = sorted(texts)
    start, entries, pool = 28 + 16 * len(keys), [], b""
    for column in (keys, [texts[key] for key in keys]):
        for text in column:
            entries.append((len(text), start + len(pool)))
            pool += text + b"\0"
    table = b"".join(struct.pack("<II", *entry) for entry in entries)
    head = struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0)
    return head + table + pool


def _joined(text: str | Iterable[str]) -> bytes:
    return (text if isinstance(text, str) else "\0".join(text)).encode()
