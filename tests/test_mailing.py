"""What units get by mail: each once, from a real server; what fails is tried again."""

import re
from email.header import decode_header, make_header

import pytest
import trustme
from books import FILLED, add_row, fill
from mailserver import HOST, Box, certified, serving

from bioduty_xl import Workspace
from bioduty_xl.batch import run_pass
from bioduty_xl.config import Security
from bioduty_xl.domain.calendar import moment
from bioduty_xl.ledger import Ledger


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def mailed(q2, authority):
    """A workspace in which two units have addresses."""
    authority.cert_pem.write_to_path(str(q2.root / "根证书.pem"))
    add_row(q2, "邮箱", "市林业局", "forestry@example.org")
    add_row(q2, "邮箱", "市水利局", "water@example.org；water2@example.org")
    return q2


def run(ws, when, port):
    """A pass with the mail server at a port."""
    settings = ws.root / "bioduty.toml"
    text = re.sub(r"(?s)\n\[mail\].*?(?=\n\[|\Z)", "", settings.read_text("utf-8"))
    mail = f'''
[mail]
host = "{HOST}"
port = {port}
sender = "office@example.org"
ca_file = "根证书.pem"
'''
    settings.write_text(text + mail, encoding="utf-8")
    return run_pass(Workspace.open(ws.root), moment(when), lambda *_: None)


def subjects(box):
    return [
        (message["To"], str(make_header(decode_header(message["Subject"]))))
        for message in box.messages()
    ]


def attachments(box):
    return [[part.get_filename() for part in one.iter_attachments()] for one in box.messages()]


def test_forms_go_to_those_with_an_address_once(mailed, box, authority):
    with serving(box, certified(authority), Security.TLS) as port:
        assert run(mailed, "2024-06-03", port).mailed == 2
        assert run(mailed, "2024-06-04", port).mailed == 0
    assert [sorted(to) for to, _ in box.letters] == [
        ["forestry@example.org"],
        ["water2@example.org", "water@example.org"],
    ]
    assert attachments(box) == [["市林业局_2024Q2.xlsx"], ["市水利局_2024Q2.xlsx"]]
    with Ledger(mailed.state_dir / "ledger.sqlite", read_only=True) as ledger:
        rows = ledger._query("SELECT address FROM mails")
    assert len(rows) == 3


def test_a_server_that_is_down_is_reported_and_all_is_sent_by_the_next_pass(mailed, box, authority):
    with serving(box, certified(authority), Security.TLS) as port:
        pass
    done = run(mailed, "2024-06-03", port)
    assert (done.mailed, len(done.failures)) == (0, 1)
    assert done.failures[0].startswith("邮件 2024Q2：")
    assert done.books
    with serving(box, certified(authority), Security.TLS) as port:
        assert run(mailed, "2024-06-04", port).mailed == 2


def test_an_address_that_is_refused_is_reported_and_tried_alone_again(mailed, box, authority):
    box.refusals["water2@example.org"] = "450 4.2.1 try again later"
    with serving(box, certified(authority), Security.TLS) as port:
        done = run(mailed, "2024-06-03", port)
        assert done.mailed == 2
        assert "市水利局" in "".join(done.failures)
        assert "water2" not in "".join(done.failures)
        box.refusals.clear()
        box.letters.clear()
        assert run(mailed, "2024-06-04", port).failures == []
    assert [to for to, _ in box.letters] == [["water2@example.org"]]


def test_corrections_and_reminders_go_out_once_each(mailed, box, authority, form):
    with serving(box, certified(authority), Security.TLS) as port:
        run(mailed, "2024-06-03", port)
        fill(form("市林业局"), mailed.inbox / "a.xlsx", answers={"T01": FILLED})
        box.letters.clear()
        run(mailed, "2024-06-10", port)
        run(mailed, "2024-06-11", port)
        assert attachments(box) == [["市林业局_2024Q2_退回修改.xlsx"]]
        box.letters.clear()
        run(mailed, "2024-06-18", port)
        run(mailed, "2024-06-19", port)
        assert attachments(box) == [["市水利局_2024Q2_催报函.docx"]]
        box.letters.clear()
        run(mailed, "2024-06-24", port)
        assert attachments(box) == [["市水利局_2024Q2_催报函.docx"]]
    assert all("2024年第二季度" in subject for _, subject in subjects(box))


def test_nothing_is_sent_of_a_closed_quarter_or_without_a_server(mailed, box, authority):
    done = run_pass(Workspace.open(mailed.root), moment("2024-06-03"), lambda *_: None)
    assert (done.mailed, done.failures) == (0, [])
    with serving(box, certified(authority), Security.TLS) as port:
        assert run(mailed, "2024-08-01", port).mailed == 0
    assert box.letters == []
