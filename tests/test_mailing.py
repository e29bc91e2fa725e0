"""What units get by mail: each once, from a real server; what fails is tried again."""

import json
import threading
from email.header import decode_header, make_header

import pytest
import trustme
from books import FILLED, add_row, fill
from mailserver import Box, certified, serving, set_mail
from openpyxl import load_workbook
from year import GAPS

from bioduty_xl import Workspace, post, watch
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
    set_mail(ws.root, port)
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


FORESTRY, WATER = "市林业局", "市水利局"


@pytest.fixture
def town(city, authority):
    """A small city in which two units have addresses."""
    authority.cert_pem.write_to_path(str(city.ws.root / "根证书.pem"))
    city.register("邮箱", FORESTRY, "forestry@example.org")
    city.register("邮箱", WATER, "water@example.org")
    return city


@pytest.fixture
def send(town, box, authority):
    """Run a pass with the server up or down; what came, a file's name for each attachment."""

    def run_at(when, *, up=True):
        box.letters.clear()
        with serving(box, certified(authority), Security.TLS) as port:
            done = run(town.ws, when, port) if up else None
        if done is None:
            done = run(town.ws, when, port)
            assert done.failures
        else:
            assert done.failures == []
        return sorted(name for names in attachments(box) for name in names)

    return run_at


def text_of(message):
    return message.get_body(("plain",)).get_content()


def test_a_letter_that_an_extension_has_overtaken_is_not_mailed(town, send, box):
    send("2024-06-03")
    send("2024-06-26", up=False)
    town.register("延期", FORESTRY, "2024Q2", "2024-07-19", "李某", "防汛")
    assert send("2024-06-27") == ["市林业局_2024Q2.xlsx", "市水利局_2024Q2_催报函.docx"]
    (form,) = [one for one in box.messages() if "forestry" in one["To"]]
    assert "2024年7月19日前" in text_of(form)
    assert "以这次所附的为准" in text_of(form)
    assert send("2024-06-28") == []


def test_a_letter_that_a_return_has_overtaken_is_not_mailed(town, send):
    send("2024-06-03")
    send("2024-07-01", up=False)
    town.give(FORESTRY, "a.xlsx", GAPS)
    assert send("2024-07-02") == ["市林业局_2024Q2_退回修改.xlsx", "市水利局_2024Q2_催报函.docx"]
    assert send("2024-07-05") == ["市林业局_2024Q2_催报函.docx", "市水利局_2024Q2_催报函.docx"]


def test_nothing_is_mailed_to_who_need_not_report(town, send):
    town.register("免报", FORESTRY, "2024Q2", "李某", "经批准")
    assert send("2024-06-03") == ["市水利局_2024Q2.xlsx"]
    send("2024-06-26", up=False)
    town.register("免报", WATER, "2024Q2", "李某", "经批准")
    assert send("2024-06-27") == []


def test_who_has_returned_gets_no_form(town, send):
    town.give(FORESTRY, "a.xlsx")
    assert send("2024-06-10") == ["市水利局_2024Q2.xlsx"]


def test_an_overdue_unit_newly_given_an_address_is_not_told_a_day_that_is_past(town, send, box):
    send("2024-06-03")
    town.register("邮箱", "市气象局", "weather@example.org")
    assert "市气象局_2024Q2.xlsx" in send("2024-06-28")
    (form,) = [
        one
        for one in box.messages()
        if "weather" in one["To"] and "提醒" not in str(make_header(decode_header(one["Subject"])))
    ]
    assert "尽快" in text_of(form)
    assert "25日" not in text_of(form)


def test_a_correction_goes_again_only_for_another_return_or_another_error(town, send):
    send("2024-06-03")
    same = {**FILLED, "progress": "与另一个单位一字不差的工作内容，共计二十多个字。"}
    town.give(FORESTRY, "a.xlsx", {**GAPS, "T03": same})
    assert send("2024-06-10") == ["市林业局_2024Q2_退回修改.xlsx"]
    town.give("市气象局", "b.xlsx", {"T01": same, "T02": same, "T03": same})
    assert send("2024-06-11") == []
    assert "所报相同" in copy_text(town)  # a warning more in the copy
    settings = town.ws.root / "bioduty.toml"
    settings.write_text(settings.read_text("utf-8").replace('phone = ""', 'phone = "0812-0"'))
    town.register("延期", FORESTRY, "2024Q2", "2024-07-05", "李某", "防汛")
    assert send("2024-06-12") == []
    town.give(FORESTRY, "c.xlsx", {**GAPS, "T01": {"status": "推进中"}})
    assert send("2024-06-13") == ["市林业局_2024Q2_退回修改.xlsx"]
    town.give(FORESTRY, "d.xlsx", {**GAPS, "T03": same})  # as the first was
    assert send("2024-06-14") == ["市林业局_2024Q2_退回修改.xlsx"]


def copy_text(town):
    path = town.ws.outbox("2024Q2") / "corrections" / "市林业局_2024Q2_退回修改.xlsx"
    book = load_workbook(path)
    return "".join(
        str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value
    )


def test_what_was_sent_before_the_server_went_away_is_counted(town, box, authority, monkeypatch):
    real, calls = post.Post.send, []

    def send_one(self, letter, moment):
        calls.append(letter)
        if len(calls) == 2:
            raise post.Unreachable("连接已中断", "ConnectionResetError")
        return real(self, letter, moment)

    with serving(box, certified(authority), Security.TLS) as port:
        with monkeypatch.context() as patched:
            patched.setattr(post.Post, "send", send_one)
            done = run(town.ws, "2024-06-03", port)
        assert (done.mailed, len(box.letters)) == (1, 1)
        assert done.failures == ["邮件 2024Q2：连接已中断\n  ConnectionResetError"]
        assert run(town.ws, "2024-06-04", port).mailed == 1
    assert len(box.letters) == 2


def test_others_may_work_while_a_slow_server_takes_its_time(town, box, authority):
    box.hold = threading.Event()
    with serving(box, certified(authority), Security.TLS) as port:
        slow = threading.Thread(target=run, args=(town.ws, "2024-06-03", port))
        slow.start()
        assert box.is_asked.wait(60)
        town.give("市气象局", "a.xlsx")
        assert len(Workspace.open(town.ws.root).collect(as_of="2024-06-04").files) == 1
        meanwhile = run(town.ws, "2024-06-04", port)
        assert (meanwhile.failures, meanwhile.mailed) == ([], 0)
        page = (town.ws.outbox_root / watch.PAGE).read_text("utf-8-sig")
        box.hold.set()
        slow.join()
    assert len(box.letters) == 2
    assert (town.ws.outbox_root / watch.PAGE).read_text("utf-8-sig") == page  # the later pass's
    lines = (town.ws.state_dir / watch.PASSES).read_text("utf-8").splitlines()
    assert [json.loads(line)["mailed"] for line in lines] == [0, 2]


def test_a_letter_that_another_pass_has_taken_away_meanwhile_is_no_failure(town, send, monkeypatch):
    real = post.Post.send

    def send_late(self, letter, moment):
        for path in letter.attachments:
            path.unlink()
        return real(self, letter, moment)

    with monkeypatch.context() as patched:
        patched.setattr(post.Post, "send", send_late)
        assert send("2024-06-03") == []


@pytest.mark.parametrize(
    ("answer", "is_for_good"), [("554 5.7.1 looks like spam", True), ("451 4.7.1 wait", False)]
)
def test_a_mail_that_is_refused_is_tried_again_if_that_may_help(
    town, box, authority, answer, is_for_good
):
    box.data = answer
    with serving(box, certified(authority), Security.TLS) as port:
        done = run(town.ws, "2024-06-03", port)
        assert (len(done.undelivered), len(done.failures)) == ((2, 0) if is_for_good else (0, 2))
        box.data = None
        again = run(town.ws, "2024-06-04", port)
    assert again.mailed == (0 if is_for_good else 2)
    assert again.undelivered == done.undelivered
    assert again.failures == []


def test_an_address_that_is_refused_for_good_is_said_until_it_is_another(town, box, authority):
    box.refusals["water@example.org"] = "550 5.1.1 no such user"
    with serving(box, certified(authority), Security.TLS) as port:
        done = run(town.ws, "2024-06-03", port)
        assert (done.mailed, done.failures) == (1, [])
        assert "市水利局" in done.undelivered[0] and "拒收" in done.undelivered[0]
        assert done.needs_attention
        asked = box.asked
        again = run(town.ws, "2024-06-04", port)
        assert again.undelivered == done.undelivered
        assert box.asked == asked  # it was not tried again
        page = (town.ws.outbox_root / watch.PAGE).read_text("utf-8-sig")
        assert "没有送达的邮件" in page
        book = load_workbook(town.ws.register_file)
        sheet = book["邮箱"]
        cell = next(c for row in sheet.iter_rows() for c in row if c.value == "water@example.org")
        cell.value = "new@example.org"
        book.save(town.ws.register_file)
        box.letters.clear()
        mended = run(town.ws, "2024-06-05", port)
    assert (mended.mailed, mended.undelivered) == (1, [])
    assert [to for to, _ in box.letters] == [["new@example.org"]]
