"""The standing watch: what each pass did, for whoever looks later.

A line of JSON a pass, a heartbeat for machines, a page of text for the coordinator. Names of files
and people stay out of the first two.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.verdict import Collected, Verdict
from bioduty_xl.layout.atomic import write_whole
from bioduty_xl.ledger import FileRecord

PASSES = "passes.jsonl"
HEARTBEAT = "heartbeat"
PAGE = "运行情况.txt"

_TAIL = 1 << 16
"""Bytes of the log's end among which the last pass is looked for."""


@dataclass
class Pass:
    """What one pass did.

    Attributes:
        as_of: its moment.
        forms: forms written.
        collected: the files found; None where the inbox could not be read.
        closed: quarters closed.
        books: consolidated workbooks written.
        reminders: lists and letters written.
        mailed: letters sent.
        settled: files whose owner the register settled.
        problems: rows of the register that cannot take effect.
        failures: a sentence for each step that failed.
        refused: whether nothing was done because the clock cannot be right.
    """

    as_of: datetime
    forms: list[Path] = field(default_factory=list)
    collected: Collected | None = None
    closed: list[Period] = field(default_factory=list)
    books: list[Path] = field(default_factory=list)
    reminders: list[Path] = field(default_factory=list)
    mailed: int = 0
    settled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: bool = False

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to look: at files held or rejected, at rows of the register."""
        return bool(self.problems) or bool(self.collected and self.collected.needs_attention)

    def as_json(self) -> dict[str, Any]:
        """Its line in the log; how many, not which."""
        files = self.collected.files if self.collected else ()
        return {
            "as_of": self.as_of.isoformat(),
            "forms": len(self.forms),
            "files": dict(Counter(report.verdict.value for report in files)),
            "closed": [str(period) for period in self.closed],
            "books": [path.name for path in self.books],
            "reminders": len(self.reminders),
            "mailed": self.mailed,
            "settled": len(self.settled),
            "problems": len(self.problems),
            "failures": [failure.partition("：")[0] for failure in self.failures],
            "refused": self.refused,
        }


def record(done: Pass, state_dir: Path) -> None:
    """Add a pass to the log, durably, and beat."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(state_dir / PASSES, "ab") as log:
        torn = log.tell() and not _ends_whole(state_dir / PASSES)
        line = json.dumps(done.as_json(), ensure_ascii=False) + "\n"
        log.write((b"\n" if torn else b"") + line.encode())
        log.flush()
        os.fsync(log.fileno())
    write_whole(state_dir / HEARTBEAT, f"{done.as_of.isoformat()}\n".encode())


def _ends_whole(path: Path) -> bool:
    """Whether a log's last line was written to its end; a stopped run may have torn it."""
    with open(path, "rb") as log:
        log.seek(-1, os.SEEK_END)
        return log.read() == b"\n"


def last_pass(state_dir: Path) -> dict[str, Any] | None:
    """The last pass on record, torn lines and refused passes left out; None before the first."""
    return next((line for line in _lines_backwards(state_dir) if not line["refused"]), None)


def last_line(state_dir: Path) -> dict[str, Any] | None:
    """The last pass on record, also one that was refused."""
    return next(_lines_backwards(state_dir), None)


def _lines_backwards(state_dir: Path) -> Iterator[dict[str, Any]]:
    path = state_dir / PASSES
    if not path.is_file():
        return
    with open(path, "rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL))
        lines = log.read().splitlines()
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and {"as_of", "refused"} <= set(found):
            yield found


def summary(line: dict[str, Any]) -> str:
    """A pass on record, in one line for people."""
    when = datetime.fromisoformat(line["as_of"]).astimezone(CHINA)
    said = [f"最近一次运行：{when:%Y-%m-%d %H:%M}"]
    files = sum(line.get("files", {}).values())
    counts = (("下发", line["forms"]), ("来件", files), ("汇总", len(line["books"])))
    said += [f"{word} {count}" for word, count in counts if count]
    said += [f"{period} 已结账" for period in line["closed"]]
    if line["refused"]:
        said.append("时钟不可信，什么也没有做")
    if line["failures"]:
        said.append(f"未完成：{'、'.join(line['failures'])}")
    return "，".join(said)


def write_page(done: Pass, waiting: Sequence[FileRecord], folder: Path) -> None:
    """运行情况.txt: what the coordinator should know, in a file that opens with a double click.

    Args:
        waiting: files that a person has to look at.
        folder: the outbox.
    """
    text = "\r\n".join(_page(done, waiting)) + "\r\n"
    write_whole(folder / PAGE, text.encode("utf-8-sig", errors="replace"))


def _page(done: Pass, waiting: Sequence[FileRecord]) -> Iterator[str]:
    yield f"最近一次运行：{done.as_of.astimezone(CHINA):%Y-%m-%d %H:%M}（北京时间）"
    yield ""
    yield from _done_lines(done)
    for title, lines in (
        ("没有完成的（请告知管理员）：", done.failures),
        ("登记表（register.xlsx）中没有生效的行，请改正：", done.problems),
        (
            "待处理的文件（可在登记表“归属认定”中认定）：",
            [f"{file.name}：{file.reason}" for file in waiting],
        ),
    ):
        if lines:
            yield from ("", title)
            yield from (f"  {_one_line(line)}" for line in lines)
    if not (done.failures or done.problems or waiting):
        yield from ("", "一切正常，没有需要处理的事项。")


def _done_lines(done: Pass) -> Iterator[str]:
    if done.forms:
        yield f"下发表格 {len(done.forms)} 份：{done.forms[0].parent}"
    if done.collected is not None:
        counts = [(verdict, done.collected.count(verdict)) for verdict in Verdict]
        listed = "，".join(f"{verdict.word} {count}" for verdict, count in counts if count)
        yield f"收件：{listed or '没有新文件'}"
    yield from (f"{period.label}已结账" for period in done.closed)
    yield from (f"已写出：{path}" for path in done.books)
    yield from (f"已认定：{said}" for said in done.settled)
    if done.reminders:
        yield f"催报：写出 {len(done.reminders)} 个文件，在 {done.reminders[0].parent}"
    if done.mailed:
        yield f"发出邮件 {done.mailed} 封"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
