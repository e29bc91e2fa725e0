"""What the child process hands over: a workbook's plain cells and marks, or why there are none.

It crosses between the processes as a line of JSON: what a hostile file does to the child must not
be able to run code in the parent, as unpickling could.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bioduty_xl.errors import BiodutyError, NotAReturn, ReturnError, Unreadable, system_words
from bioduty_xl.language import say
from bioduty_xl.layout.table import Grid, address


class Odd(StrEnum):
    """A cell whose text is not what its author meant it to say."""

    ERROR = "error"
    """An error value such as #REF!; the text is that value."""

    FORMULA = "formula"
    """A formula that was never calculated; the text is the formula."""

    NUMBER = "number"
    """A number of more than 15 digits, of which Excel has lost the last ones."""


@dataclass(frozen=True)
class RawSheet:
    """One worksheet.

    Attributes:
        title, visible: its name, and whether it is shown.
        grid: its texts from A1.
        names: sheet-level names.
        odd: what is wrong with a cell, by address.
        cut: addresses of cells so far away that they were left out.
    """

    title: str
    visible: bool
    grid: Grid
    names: Mapping[str, str]
    odd: Mapping[str, Odd] = field(default_factory=dict)
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawBook:
    """A workbook's sheets, custom document properties and workbook-level names (texts alone).

    Attributes:
        macros: whether it brings macros, which nothing here ever runs or passes on.
        checked: whether its format has checksums, so that what is gone would have been noticed.
    """

    sheets: tuple[RawSheet, ...]
    properties: Mapping[str, str]
    names: Mapping[str, str]
    macros: bool = False
    checked: bool = True

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "sheets": [
                    (one.title, one.visible, one.grid, one.names, one.odd, one.cut)
                    for one in self.sheets
                ],
                "properties": self.properties,
                "names": self.names,
                "macros": self.macros,
                "checked": self.checked,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> RawBook:
        """The workbook that a line of JSON describes."""
        data = json.loads(text)
        sheets = tuple(
            RawSheet(
                title,
                visible,
                grid,
                names,
                {cell: Odd(kind) for cell, kind in odd.items()},
                tuple(cut),
            )
            for title, visible, grid, names, odd, cut in data["sheets"]
        )
        return cls(sheets, data["properties"], data["names"], data["macros"], data["checked"])


ARCHIVE, LOST, LATE, DIED = (
    json.dumps({"became": what}) for what in ("archive", "lost", "late", "died")
)
"""What is said of a file that is a zip of others, that does not hold the bytes it should, that took
too long, and at which the process died.
"""


LOST_WORDS = say(
    "台账中有记录，但保存的原件不见了或已损坏，请从备份恢复状态文件夹，或让该单位重新报送"
)


def refusal(error: ReturnError) -> str:
    """The gate's reason, as it crosses."""
    return json.dumps({"refused": type(error).__name__, "message": error.message})


def failure(name: str) -> str:
    """The name of an error of the reader, as it crosses."""
    return json.dumps({"error": name})


def out_of_reach(error: OSError) -> str:
    """That the store itself cannot be read, as it crosses."""
    return json.dumps({"store": system_words(error)})


def opened(answer: str) -> RawBook:
    """The workbook that an answer of the child holds.

    Raises:
        BiodutyError: the store cannot be read; the file is not to blame.
        NotAReturn: it is locked, no workbook, or reading it took too long, too much memory, or
            killed the process.
        Unreadable: it is dangerous, or its inside is broken.
    """
    if answer.startswith('{"sheets"'):
        return RawBook.from_json(answer)
    told = json.loads(answer)
    if "store" in told:
        raise BiodutyError(
            say("保存的原件读不出来（{reason}），请检查状态文件夹所在的磁盘", reason=told["store"])
        )
    if "refused" in told:
        raise _REFUSALS[told["refused"]](told["message"])
    raise _explained(told.get("became", ""), told.get("error", ""))


_REFUSALS: Mapping[str, type[ReturnError]] = {
    kind.__name__: kind for kind in (NotAReturn, Unreadable)
}

_AGAIN = "请用 Excel 打开核对后另存再报送"


def _explained(became: str, error: str) -> ReturnError:
    """What is said of a file that could not be read, by what it did to its reader."""
    match became or error:
        case "archive":
            return NotAReturn("压缩包里还有压缩包，请解压后把其中的报送表放入收件夹")
        case "lost":
            return NotAReturn(LOST_WORDS)
        case "late":
            return NotAReturn(f"读取的时间过长，已中止，{_AGAIN}；也可把原文件放回收件夹再试")
        case "died":
            return NotAReturn(f"读取时程序异常退出，{_AGAIN}")
        case "TooLarge" | "MemoryError":
            return NotAReturn("表格的使用范围过大，请删去表外多余的行列后另存再报送")
        case "Locked":
            return NotAReturn("文件设有打开密码，请去掉密码后重新报送")
        case "PanicException":  # may be the reader's own fault: a person should look at the file
            return NotAReturn("文件内部有程序不认识的内容，请用 Excel 打开核对后另存再报送")
    return Unreadable(f"文件内部已损坏或没有传完（{error}），请该单位重新报送")


READY = "ready"
"""What the child says once it can be asked; each answer then starts with its request's number."""


class TooLarge(Exception):
    """A sheet holds far more than any form."""


class Locked(Exception):
    """The workbook needs a password to be read."""


CELLS_MAX = 2_000_000
"""Most cells of a sheet's used area; a form has a few hundred."""

NEAR_ROWS, NEAR_COLUMNS = 20_000, 100
"""What is kept of a sheet whose used area is beyond `CELLS_MAX`: a stray cell far away is left out,
and the table is read all the same."""

PRECISE = 10**15
"""From here on, Excel's numbers (IEEE 754 doubles shown with 15 digits) have lost digits."""


def is_imprecise(value: object) -> bool:
    """Whether a number has more digits than a cell can hold."""
    return isinstance(value, int | float) and abs(value) >= PRECISE


def trimmed(texts: Iterable[str]) -> list[str]:
    """A row without the blanks at its end."""
    row = list(texts)
    while row and not row[-1]:
        row.pop()
    return row


@dataclass
class Cells:
    """A sheet's cells as they are found, near or far; rows and columns count from 0."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    odd: dict[tuple[int, int], Odd] = field(default_factory=dict)

    def put(self, row: int, column: int, text: str, odd: Odd | None = None) -> None:
        """Keep one cell; blank ones need not be kept.

        Raises:
            TooLarge: there are too many.
        """
        if text or odd:
            self.texts[row, column] = text
            if odd:
                self.odd[row, column] = odd
            if len(self.texts) > CELLS_MAX:
                raise TooLarge

    def sheet(self, title: str, visible: bool, names: Mapping[str, str]) -> RawSheet:
        """The sheet that they make, without what is too far away."""
        far = far_cells(self.texts)
        near = {place: text for place, text in self.texts.items() if place not in far}
        rows: list[list[str]] = [[] for _ in range(max((row for row, _ in near), default=-1) + 1)]
        for (row, column), text in sorted(near.items()):
            rows[row].extend([""] * (column - len(rows[row])))
            rows[row].append(text)
        odd = {address(*place): kind for place, kind in self.odd.items() if place not in far}
        return RawSheet(title, visible, rows, names, odd, tuple(address(*p) for p in sorted(far)))


def far_cells(places: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Of a sheet's filled cells, those to leave out so that its used area stays readable."""
    places = list(places)
    height = max((row for row, _ in places), default=0) + 1
    width = max((column for _, column in places), default=0) + 1
    if height * width <= CELLS_MAX:
        return frozenset()
    return frozenset(
        (row, column) for row, column in places if row >= NEAR_ROWS or column >= NEAR_COLUMNS
    )
