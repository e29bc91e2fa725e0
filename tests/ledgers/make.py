"""Writes the fixture of the newest schema, `NN.sql`, from the one before it: `python
tests/ledgers/make.py`. What is there already stays as it is for ever: it is what a version of the
program has written. New tables need rows in `ROWS`; all persons and numbers are invented.
"""

import sqlite3
from pathlib import Path

from bioduty_xl.ledger import MIGRATIONS

HERE = Path(__file__).parent

_CAME = "2024-06-20T09:00:00+08:00"
_FINDING = (
    '{"about": "progress", "cell": "G6", "code": "REQUIRED_BLANK", "item": "T01",'
    ' "message": "“工作开展情况”没有填写。", "severity": "ERROR", "sheet": "工作推进情况"}'
)
_CONTACT = (
    '{"leader": "赵某", "leader_phone": "0812-0000001", "name": "钱某", "office": "办公室",'
    ' "phone": "0812-0000002", "remark": "", "unit": "U02"}'
)
_FILES = (
    (1, "a.xlsx", "accepted", ("return", "U02", "2024Q2", 1), "", '{"filler": "赵某"}'),
    (2, "b.xlsx", "accepted", ("contacts", "U02", "2024Q2", 1), "", "{}"),
    (3, "c.pdf", "held", (None, None, None, None), "这是 PDF 文件", "{}"),
)

ROWS = {
    1: {
        "forms": [
            ("return", "U02", "2024Q2", "59eed868", 1, _CAME, "2024Q2/forms/市林业局.xlsx"),
            ("contacts", "U02", "2024Q2", "6a01bc22", 1, None, "2024Q2/forms/联系人.xlsx"),
        ],
        "files": [
            (number, f"{number:064x}", name, 18366, 1, _CAME, verdict, *found, reason, header)
            for number, name, verdict, found, reason, header in _FILES
        ],
        "entries": [
            (1, "T01", "工作推进情况", '{"progress": "G6"}', '{"progress": "开展巡护12次。"}'),
        ],
        "contacts": [(2, 0, _CONTACT)],
        "findings": [(1, 0, _FINDING)],
    },
    2: {
        "assignments": [(1, 3, "U02", "2024Q2", "电话核实", _CAME)],
        "inboxes": [("/srv/inbox",)],
    },
    3: {
        "register": [("收件更正", "市林业局 2024Q2 2024-06-19", _CAME, _CAME)],
        "settlements": [(1, "c.pdf 市林业局 2024Q2", 3, _CAME)],
        "books": [("汇总_2024Q2.xlsx", "ab" * 32, "cd" * 32)],
        "corrections": [("2024Q2", "U02", "ef" * 32, "01" * 32)],
        "closings": [("2024Q2", "2024-07-09T23:59:59+08:00", "cd" * 32)],
        "counted": [(1, "2024Q2")],
        "reminders": [("2024Q2", "U03", "2024-06-25", -5, '["T01"]', _CAME)],
        "mails": [("2024Q2/form/U02", _CAME, "u02@example.org", "")],
    },
}
"""By schema, rows of the tables that are new in it."""


def make(number):
    """The newest schema, as its migration makes it of the one before."""
    with sqlite3.connect(":memory:") as db:
        if number > 1:
            db.executescript((HERE / f"{number - 1:02}.sql").read_text(encoding="utf-8"))
        db.executescript(MIGRATIONS[number - 1])
        for table, rows in ROWS[number].items():
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        text = "\n".join(db.iterdump())
    db.close()
    target = HERE / f"{number:02}.sql"
    target.write_text(f"{text}\nPRAGMA user_version = {number};\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    for number in range(1, len(MIGRATIONS) + 1):
        if not (HERE / f"{number:02}.sql").exists():
            print(make(number))
