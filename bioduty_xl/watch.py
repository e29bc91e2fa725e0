"""The standing watch: what each pass did, for whoever looks later.

A line of JSON a pass, a heartbeat for machines, a page of text for the coordinator. Names of files
and telephone numbers stay out of the first two.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.period import Period
from bioduty_xl.domain.verdict import Collected, Verdict
from bioduty_xl.language import SEMICOLON, listed, say
from bioduty_xl.layout.atomic import write_whole
from bioduty_xl.ledger import FileRecord

PASSES = "passes.jsonl"
HEARTBEAT = "heartbeat"
PAGE = "运行情况.txt"

PATIENCE = timedelta(days=1)
"""A clock may be behind the last pass by so much; it works on at that pass's moment."""

BELIEVED = timedelta(days=200)
"""A clock that is further ahead of the last pass than this is not believed: a machine that was
off for two quarters is rarer than one whose clock was set wrong."""

_BLOCK = 1 << 16
"""Bytes of the log that are read at a time, from its end."""

_NUMBER = re.compile(
    r"(?P<moment>(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d)?(?!\d))"
    r"|\d(?:[-\s]?\d){6,}"
)
"""Seven digits and more, also with hyphens or blanks between: a telephone number, unless they are a
moment.
"""


@dataclass
class Pass:
    """What one pass did.

    Attributes:
        as_of: its moment.
        forms: forms written.
        collected: the files found; None where the inbox could not be read.
        closed: quarters closed.
        books: consolidated workbooks written.
        corrections: correction copies written.
        reminders: lists and letters written.
        mailed: letters sent.
        settled: files whose owner the register settled.
        problems: rows of the register that cannot take effect.
        undelivered: mails that the server has refused for good.
        altered: books of closed quarters that a person has changed.
        failures: a sentence for each step that failed: the step, a colon, what went wrong; names
            of files and other details on lines below it.
        refused: whether nothing was done because the clock cannot be right.
        ahead: what comes next, as a sentence.
    """

    as_of: datetime
    forms: list[Path] = field(default_factory=list)
    collected: Collected | None = None
    closed: list[Period] = field(default_factory=list)
    books: list[Path] = field(default_factory=list)
    corrections: list[Path] = field(default_factory=list)
    reminders: list[Path] = field(default_factory=list)
    mailed: int = 0
    settled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: bool = False
    ahead: str = ""

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to look: at files held or rejected, at rows of the register, at
        mails that cannot be delivered.
        """
        held = bool(self.collected and self.collected.needs_attention)
        return held or bool(self.problems or self.undelivered)

    def as_json(self) -> dict[str, Any]:
        """Its line in the log; how many, not which."""
        files = self.collected.files if self.collected else ()
        return {
            "as_of": self.as_of.isoformat(),
            "forms": len(self.forms),
            "files": dict(Counter(report.verdict.value for report in files)),
            "closed": [str(period) for period in self.closed],
            "books": [path.name for path in self.books],
            "corrections": len(self.corrections),
            "reminders": len(self.reminders),
            "mailed": self.mailed,
            "settled": len(self.settled),
            "problems": len(self.problems),
            "undelivered": len(self.undelivered),
            "altered": len(self.altered),
            "failures": [loggable(failure) for failure in self.failures],
            "refused": self.refused,
        }


def loggable(text: str) -> str:
    """What may stand in a log of a text: its first line, without telephone numbers."""
    first = text.splitlines()[0] if text else ""
    return _NUMBER.sub(lambda found: found["moment"] or "（号码略）", first)


def record(done: Pass, state_dir: Path) -> None:
    """Add a pass to the log, durably; nothing needs to be locked for it."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(state_dir / PASSES, "ab") as log:
        torn = log.tell() and not _ends_whole(state_dir / PASSES)
        line = json.dumps(done.as_json(), ensure_ascii=False) + "\n"
        log.write((b"\n" if torn else b"") + line.encode())
        log.flush()
        os.fsync(log.fileno())


def beat(done: Pass, state_dir: Path) -> None:
    """Say to machines that a pass has come this far."""
    write_whole(state_dir / HEARTBEAT, f"{done.as_of.isoformat()}\n".encode())


def _ends_whole(path: Path) -> bool:
    """Whether a log's last line was written to its end; a stopped run may have torn it."""
    with open(path, "rb") as log:
        log.seek(-1, os.SEEK_END)
        return log.read() == b"\n"


def last_pass(state_dir: Path) -> dict[str, Any] | None:
    """The last pass on record, torn lines and refused passes left out; None before the first."""
    return next((line for line in _lines_backwards(state_dir) if not line["refused"]), None)


def last_moment(state_dir: Path) -> datetime | None:
    """The moment of the last pass that was not refused; None before the first."""
    line = last_pass(state_dir)
    return None if line is None else datetime.fromisoformat(line["as_of"]).astimezone(CHINA)


def clock_doubt(now: datetime, last: datetime) -> str | None:
    """Why the machine's time cannot be right, compared with the last pass; None where it can."""
    if last - PATIENCE <= now <= last + BELIEVED:
        return None
    word = say("早于") if now < last else say("远晚于")
    return say(
        "本机时间 {now:%Y-%m-%d %H:%M} {word}上次运行的 {last:%Y-%m-%d %H:%M}，可能不准",
        now=now,
        word=word,
        last=last,
    )


def last_line(state_dir: Path) -> dict[str, Any] | None:
    """The last pass on record, also one that was refused."""
    return next(_lines_backwards(state_dir), None)


def _lines_backwards(state_dir: Path) -> Iterator[dict[str, Any]]:
    """The passes on record, the last first, however far back one looks."""
    path = state_dir / PASSES
    if not path.is_file():
        return
    with open(path, "rb") as log:
        for line in _raw_lines_backwards(log):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and {"as_of", "refused"} <= set(found):
                yield found


def _raw_lines_backwards(log: BinaryIO) -> Iterator[bytes]:
    end, rest = log.seek(0, os.SEEK_END), b""
    while end > 0:
        start = max(0, end - _BLOCK)
        log.seek(start)
        first, *lines = (log.read(end - start) + rest).split(b"\n")
        yield from reversed(lines)
        end, rest = start, first
    yield rest


def summary(line: dict[str, Any]) -> str:
    """A pass on record, in one line for people; its failures as they are on record, in Chinese."""
    when = datetime.fromisoformat(line["as_of"]).astimezone(CHINA)
    said = [say("最近一次运行：{when:%Y-%m-%d %H:%M}", when=when)]
    files = sum(line.get("files", {}).values())
    counts = ((say("下发"), line["forms"]), (say("来件"), files), (say("汇总"), len(line["books"])))
    said += [say("{word} {count}", word=word, count=count) for word, count in counts if count]
    said += [say("{period} 已结账", period=period) for period in line["closed"]]
    if line["refused"]:
        said.append(say("时钟不可信，什么也没有做"))
    if line["failures"]:
        said.append(say("未完成：{failure}", failure=listed(line["failures"], SEMICOLON)))
    return listed(said, say("，"))


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
            "没有送达的邮件（不再重试；请在登记表“邮箱”中更正，或用其他方式送达）：",
            done.undelivered,
        ),
        ("结账后被改动的汇总表：", done.altered),
        (
            "待处理的文件（可在登记表“归属认定”中认定）：",
            [f"{_of_period(file)}{file.name}：{file.reason}" for file in waiting],
        ),
    ):
        if lines:
            yield from ("", title)
            yield from (f"  {_one_line(line)}" for line in lines)
    if not (done.failures or done.problems or done.undelivered or done.altered or waiting):
        yield from ("", "一切正常，没有需要处理的事项。")
    if done.ahead:
        yield from ("", done.ahead)


def _done_lines(done: Pass) -> Iterator[str]:
    if done.forms:
        yield f"下发表格 {len(done.forms)} 份：{done.forms[0].parent}"
    if done.collected is not None:
        counts = [(verdict, done.collected.count(verdict)) for verdict in Verdict]
        listed = "，".join(f"{verdict.word} {count}" for verdict, count in counts if count)
        yield f"收件：{listed or '没有新文件'}"
    yield from (f"{period.label}已结账" for period in done.closed)
    yield from (f"已写出：{path}" for path in done.books)
    if done.corrections:
        yield f"退回修改：写出 {len(done.corrections)} 份，在 {done.corrections[0].parent}"
    yield from (f"已认定：{said}" for said in done.settled)
    if done.reminders:
        yield f"催报：写出 {len(done.reminders)} 个文件，在 {done.reminders[0].parent}"
    if done.mailed:
        yield f"发出邮件 {done.mailed} 封"


def _of_period(file: FileRecord) -> str:
    return f"[{file.period}] " if file.period else ""


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
