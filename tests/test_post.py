"""The post, against real mail servers with real certificates on this machine."""

import base64
import email
import email.policy
import os
import socket
import traceback
from datetime import datetime, timezone
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
import trustme
from mailserver import HOST, PASSWORD, Box, certified, free_port, serving

from bioduty_xl.config import Mail, Security
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.post import PASSWORD_FILE, Letter, Post, Refused, Unreachable, read_password

SENDER = "office@example.org"
OFFICE = "攀枝花市生态环境保护委员会办公室（生物多样性，联络组）"
MOMENT = datetime(2024, 6, 3, 9, 0, tzinfo=CHINA)
BOTH = pytest.mark.parametrize("security", list(Security))


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    path = tmp_path / "根证书.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def server(authority, box):
    """Port of a server with TLS from the start."""
    with serving(box, certified(authority), Security.TLS) as port:
        yield port


def post(port, ca_file, password="", name=OFFICE, **settings):
    usual = {"host": HOST, "port": port, "sender": SENDER, "ca_file": ca_file, "seconds": 5}
    return Post(Mail(**{**usual, **settings}), password, name)


def letter(*to, **changes):
    usual = {
        "matter": "2024Q2/U01/form",
        "to": to or ("u01@example.org",),
        "subject": "请于2024年6月25日前返回季度报送表",
        "text": "市林业局：\n.\n请查收附件。\n",
    }
    return Letter(**{**usual, **changes})


def text_of(message):
    return message.get_body().get_content().replace("\r\n", "\n")


@BOTH
@pytest.mark.parametrize("with_login", [False, True])
def test_a_letter_arrives_as_it_was_written(
    authority, box, ca_file, tmp_path, security, with_login
):
    form = tmp_path / "市林业局_2024Q2.xlsx"
    form.write_bytes(os.urandom(5000))
    login = {"user": "office", "password": PASSWORD} if with_login else {}
    with (
        serving(box, certified(authority), security, with_login=with_login) as port,
        post(port, ca_file, security=security, **login) as out,
    ):
        assert out.send(letter(attachments=(form,)), MOMENT) == ()
    assert box.logins == [True] * with_login
    [(recipients, content)] = box.letters
    assert recipients == ["u01@example.org"]
    assert content.isascii()
    [message] = box.messages()
    assert message["Subject"] == letter().subject
    assert message["Date"].datetime == MOMENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert text_of(message) == letter().text
    [attached] = message.iter_attachments()
    assert attached.get_filename() == form.name
    assert attached.get_content() == form.read_bytes()


NAMES = [
    "市林业局_2024Q2.xlsx",
    "市生态环境局 “生物多样性”保护责任分工方案 第二季度工作推进情况（终稿）_2024Q2_退回修改.xlsx",
    "a b;c='d',%E4 100%.docx",
    "plain.pdf",
    "𠮷" * 60 + ".zip",
    "数据.csv",
]
TYPES = [
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/pdf",
    "application/zip",
    "application/octet-stream",
]


def attach_all(box, server, ca_file, folder, names):
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(path.name.encode())
    with post(server, ca_file) as out:
        out.send(letter(attachments=tuple(paths)), MOMENT)


def test_names_of_attachments_arrive_in_new_and_old_mail_programs(box, server, ca_file, tmp_path):
    attach_all(box, server, ca_file, tmp_path, NAMES)
    [message] = box.messages()
    parts = list(message.iter_attachments())
    assert [part.get_filename() for part in parts] == NAMES
    assert [part.get_content_type() for part in parts] == TYPES
    assert [part.get_content() for part in parts] == [name.encode() for name in NAMES]

    [old] = box.messages(email.policy.compat32)  # knows RFC 2231, and reads `name` as it stands
    given = [part.get_param("name").replace("\r\n", "") for part in old.get_payload()[1:]]
    assert [str(make_header(decode_header(name))) for name in given] == NAMES
    assert [part.get_filename() for part in old.get_payload()[1:]] == NAMES


def test_no_line_is_longer_than_smtp_allows(box, server, ca_file, tmp_path):
    attach_all(box, server, ca_file, tmp_path, [*NAMES, "长" * 80 + ".xlsx"])
    [(_, content)] = box.letters
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@pytest.mark.parametrize(
    "text",
    [
        "催报",
        "关于报送2024年第二季度生物多样性保护责任分工方案工作推进情况的通知 (Q2) - 请 6月25日前",
        'plain, quoted "words" and =?utf-8?q?lookalikes?= that go on beyond one header\'s line',
        '（，）<>@;:\\"[] 盐边县人民政府　全角空格, 𠮷 ' * 3 + "。",
    ],
)
def test_subjects_and_display_names_survive(box, server, ca_file, text):
    with post(server, ca_file, name=text) as out:
        out.send(letter(subject=text), MOMENT)
    [message], [old] = box.messages(), box.messages(email.policy.compat32)
    assert message["Subject"] == text
    assert str(make_header(decode_header(old["Subject"]))) == text
    [sender] = message["From"].addresses
    assert sender.addr_spec == SENDER
    name, address = parseaddr(old["From"].replace("\r\n", ""))
    assert (str(make_header(decode_header(name))), address) == (text, SENDER)


def test_a_letter_repeated_is_the_same_and_another_is_not(box, server, ca_file):
    with post(server, ca_file) as out:
        for one in (
            letter("a@example.org", "b@example.org"),
            letter("b@example.org", "a@example.org", text="再发一次"),
            letter("a@example.org"),
            letter("a@example.org", "b@example.org", matter="2024Q2/U01/reminder"),
        ):
            out.send(one, MOMENT)
    with post(server, ca_file, sender="other@example.org") as out:
        out.send(letter("a@example.org", "b@example.org"), MOMENT)
    ids = [message["Message-ID"] for message in box.messages()]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(found.startswith("<") and found.endswith("@example.org>") for found in ids)


def test_the_same_letter_has_the_same_bytes_at_any_offset(box, server, ca_file, tmp_path):
    form = tmp_path / "表.xlsx"
    form.write_bytes(b"PK")
    with post(server, ca_file) as out:
        for moment in (MOMENT, MOMENT.astimezone(timezone.utc)):  # noqa: UP017
            out.send(letter(attachments=(form,)), moment)
    assert box.letters[0] == box.letters[1]
    assert box.messages()[0]["Date"] == "Mon, 03 Jun 2024 09:00:00 +0800"


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
def test_line_breaks_make_no_headers(box, server, ca_file, mark):
    evil = f"催报{mark}Bcc: evil@example.org{mark}{mark}body"
    with post(server, ca_file, name=evil) as out:
        out.send(letter(subject=evil), MOMENT)
    [message] = box.messages()
    assert "Bcc" not in message
    assert message["Subject"] == "催报 Bcc: evil@example.org body"
    assert box.letters[0][0] == ["u01@example.org"]
    assert text_of(message) == letter().text


@pytest.mark.skipif(os.name != "posix", reason="files with such names exist on POSIX alone")
def test_names_of_files_make_no_headers(box, server, ca_file, tmp_path):
    names = ['a"; x="\r\nBcc: evil@example.org\r\n\r\n.xlsx', os.fsdecode(b"\xb1\xed.xlsx")]
    paths = tuple(tmp_path / name for name in names)
    for path in paths:
        path.write_bytes(b"PK")
    with post(server, ca_file) as out:
        out.send(letter(attachments=paths), MOMENT)
    [message] = box.messages()
    assert [part.get_filename() for part in message.iter_attachments()] == [
        'a"; x=" Bcc: evil@example.org .xlsx',
        "??.xlsx",
    ]
    assert all("Bcc" not in part for part in message.walk())


@pytest.mark.parametrize(
    "to",
    [
        (),
        ("a@example.org\r\nRCPT TO:<evil@example.org>",),
        ("a@example.org, evil@example.org",),
        ("赵某 <a@example.org>",),
        ("赵某@example.org",),
        ("a@b@example.org",),
        ("a..b@example.org",),
        ("a@-example.org",),
        ("",),
        ("good@example.org", "bad"),
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(box, server, ca_file, to):
    with post(server, ca_file) as out, pytest.raises(Refused, match="收件地址有误"):
        out.send(letter(to=to), MOMENT)
    assert box.sessions == []


def test_an_address_given_twice_gets_one(box, server, ca_file):
    with post(server, ca_file) as out:
        out.send(letter("a@example.org", "a@example.org"), MOMENT)
    assert [recipients for recipients, _ in box.letters] == [["a@example.org"]]


def test_several_letters_go_over_one_connection(box, server, ca_file):
    with post(server, ca_file) as out:
        for number in range(3):
            out.send(letter(f"u0{number}@example.org"), MOMENT)
    assert [r for r, _ in box.letters] == [[f"u0{n}@example.org"] for n in range(3)]
    assert len(box.sessions) == 1


def test_no_connection_is_made_without_a_letter(ca_file):
    with post(free_port(), ca_file):
        pass


@BOTH
def test_a_server_that_hung_up_between_letters_is_called_again(authority, box, ca_file, security):
    box.drops = "after"
    with (
        serving(box, certified(authority), security) as port,
        post(port, ca_file, security=security) as out,
    ):
        for number in range(3):
            box.has_dropped.clear()
            out.send(letter(f"u0{number}@example.org"), MOMENT)
            assert box.has_dropped.wait(5)
    assert [r for r, _ in box.letters] == [[f"u0{n}@example.org"] for n in range(3)]
    assert len(box.sessions) == 3


def test_a_connection_broken_on_the_way_is_told_and_can_be_tried_again(box, server, ca_file):
    box.drops = "instead"
    with post(server, ca_file) as out:
        with pytest.raises(Unreachable, match="中断"):
            out.send(letter(), MOMENT)
        assert len(box.letters) == 1  # it was not sent again in silence
        box.drops = None
        out.send(letter(), MOMENT)
    first, second = box.messages()
    assert first["Message-ID"] == second["Message-ID"]


def test_addresses_that_are_refused_are_returned_and_the_others_get_it(box, server, ca_file):
    box.refusals = {"gone@example.org": "550 5.1.1 no such user"}
    with post(server, ca_file) as out:
        refused = out.send(letter("a@example.org", "gone@example.org", "b@example.org"), MOMENT)
    assert refused == ("gone@example.org",)
    assert [r for r, _ in box.letters] == [["a@example.org", "b@example.org"]]


@pytest.mark.parametrize(
    ("answer", "is_temporary"),
    [("550 5.1.1 no such user", False), ("451 4.3.0 try again later", True)],
)
def test_a_letter_that_nobody_may_have_is_refused_and_others_go(
    box, server, ca_file, answer, is_temporary
):
    box.refusals = {"x@example.org": answer, "y@example.org": answer}
    with post(server, ca_file) as out:
        with pytest.raises(Refused, match="2 个") as refused:
            out.send(letter("x@example.org", "y@example.org"), MOMENT)
        assert refused.value.is_temporary is is_temporary
        assert refused.value.details == (f"服务器答复：{answer}",)
        assert out.send(letter("a@example.org"), MOMENT) == ()
    assert [r for r, _ in box.letters] == [["a@example.org"]]
    assert len(box.sessions) == 1


@pytest.mark.parametrize(
    ("data", "is_temporary"), [("554 5.7.1 looks like spam", False), ("451 4.7.1 greylisted", True)]
)
def test_content_that_is_refused_is_this_letters_affair(box, server, ca_file, data, is_temporary):
    box.data = data
    with post(server, ca_file) as out, pytest.raises(Refused, match="不接受这封邮件") as refused:
        out.send(letter(), MOMENT)
    assert refused.value.is_temporary is is_temporary
    assert data in str(refused.value)


def test_a_letter_too_large_is_refused_and_others_go(authority, box, ca_file, tmp_path):
    large = tmp_path / "大.xlsx"
    large.write_bytes(os.urandom(40_000))
    with (
        serving(box, certified(authority), Security.TLS, data_size_limit=30_000) as port,
        post(port, ca_file) as out,
    ):
        with pytest.raises(Refused, match="大小") as refused:
            out.send(letter(attachments=(large,)), MOMENT)
        assert not refused.value.is_temporary
        out.send(letter("b@example.org"), MOMENT)
    assert [r for r, _ in box.letters] == [["b@example.org"]]


@pytest.mark.parametrize(
    ("mail", "error", "said"),
    [
        ("550 5.7.1 sender not owned", Unreachable, "mail.sender"),
        ("421 4.3.2 shutting down", Unreachable, "稍后"),
        ("452 4.3.1 no room", Refused, "452"),
        ("554 5.3.4 too big", Refused, "大小"),
    ],
)
def test_what_a_server_says_of_the_sender(box, server, ca_file, mail, error, said):
    box.mail = mail
    with post(server, ca_file) as out, pytest.raises(error, match=said):
        out.send(letter(), MOMENT)
    assert box.letters == []


def test_a_server_that_closes_for_the_day_is_no_affair_of_the_letters(box, server, ca_file):
    box.refusals = {"u01@example.org": "421 4.3.2 shutting down"}
    with post(server, ca_file) as out, pytest.raises(Unreachable, match="稍后"):
        out.send(letter(), MOMENT)


def everything_told(error):
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@BOTH
def test_a_wrong_password_is_told_without_the_password(
    authority, box, ca_file, security, caplog, capfd
):
    caplog.set_level("DEBUG")
    wrong = "wrong-" + PASSWORD
    with (
        serving(box, certified(authority), security, with_login=True) as port,
        post(port, ca_file, wrong, security=security, user="office") as out,
        pytest.raises(Unreachable, match="用户名或密码") as refused,
    ):
        out.send(letter(), MOMENT)
    assert box.letters == [] and set(box.logins) == {False}
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("mail", "asyncio"))]
    told = everything_told(refused.value) + repr(out) + "".join(ours) + "".join(capfd.readouterr())
    for secret in (wrong, base64.b64encode(wrong.encode()).decode().rstrip("=")):
        assert secret not in told


def test_a_server_without_login_is_told(authority, box, ca_file):
    with (
        serving(box, certified(authority), Security.TLS, auth_exclude_mechanism=["LOGIN"]) as port,
        post(port, ca_file, PASSWORD, user="office") as out,
        pytest.raises(Unreachable, match="登录"),
    ):
        out.send(letter(), MOMENT)


@BOTH
def test_a_certificate_of_nobody_we_know_is_not_trusted(box, ca_file, security):
    with (
        serving(box, certified(trustme.CA()), security) as port,
        post(port, ca_file, security=security) as out,
        pytest.raises(Unreachable, match="证书"),
    ):
        out.send(letter(), MOMENT)
    assert box.sessions == []


@BOTH
def test_a_certificate_of_another_host_is_not_trusted(authority, box, ca_file, security):
    with (
        serving(box, certified(authority, "mail.example.org"), security) as port,
        post(port, ca_file, security=security) as out,
        pytest.raises(Unreachable, match="证书") as refused,
    ):
        out.send(letter(), MOMENT)
    assert "127.0.0.1" in str(refused.value)
    assert box.sessions == []


def test_without_a_ca_file_only_what_the_system_trusts_is_trusted(box, server):
    with post(server, "") as out, pytest.raises(Unreachable, match="ca_file"):
        out.send(letter(), MOMENT)


def test_a_server_that_offers_no_encryption_gets_neither_login_nor_letter(box, ca_file):
    with (
        serving(box, None, Security.STARTTLS, with_login=True) as port,
        post(port, ca_file, PASSWORD, user="office", security=Security.STARTTLS) as out,
        pytest.raises(Unreachable, match="STARTTLS"),
    ):
        out.send(letter(), MOMENT)
    assert (box.logins, box.sessions) == ([], [])


def test_tls_from_the_start_does_not_fall_back_either(box, ca_file):
    with (
        serving(box, None, Security.STARTTLS) as port,
        post(port, ca_file) as out,
        pytest.raises(Unreachable, match="587 端口用 starttls"),
    ):
        out.send(letter(), MOMENT)
    assert box.sessions == []


@BOTH
def test_a_server_that_is_down_is_told(ca_file, security):
    with (
        post(free_port(), ca_file, security=security) as out,
        pytest.raises(Unreachable, match="检查网络"),
    ):
        out.send(letter(), MOMENT)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "邮件服务器" * 20])
def test_a_host_that_is_none_is_told(ca_file, host):
    with post(465, ca_file, host=host) as out, pytest.raises(Unreachable, match=r"mail\.host"):
        out.send(letter(), MOMENT)


@BOTH
def test_a_server_that_never_answers_is_not_waited_for(ca_file, security):
    with (
        socket.create_server((HOST, 0)) as silent,
        post(silent.getsockname()[1], ca_file, security=security, seconds=1) as out,
        pytest.raises(Unreachable, match="timed out"),
    ):
        out.send(letter(), MOMENT)


def test_every_fault_is_one_chinese_sentence(box, server, ca_file):
    box.refusals = {"u01@example.org": "550 \u001b[31mno\r\n"}
    with post(server, ca_file) as out, pytest.raises(BiodutyError) as refused:
        out.send(letter(), MOMENT)
    assert "\n" not in refused.value.message and "\x1b" not in str(refused.value)


def test_an_attachment_that_is_gone_is_an_error_of_the_disk(box, server, ca_file, tmp_path):
    with post(server, ca_file) as out, pytest.raises(FileNotFoundError):
        out.send(letter(attachments=(tmp_path / "gone.xlsx",)), MOMENT)
    assert box.sessions == []


@pytest.mark.parametrize(
    ("settings", "password", "said"),
    [
        ({"host": ""}, "", "mail.host"),
        ({"sender": "办公室 <office@example.org>"}, "", "mail.sender"),
        ({"sender": "a@b\r\nX: y"}, "", "mail.sender"),
        ({"user": "office"}, "", PASSWORD_FILE),
        ({"user": "office"}, "密码１２３", "全角"),
        ({"ca_file": "/nowhere/ca.pem"}, "", "ca_file"),
    ],
)
def test_settings_that_cannot_work_are_told_at_once(ca_file, settings, password, said):
    with pytest.raises(ConfigError, match=said) as refused:
        post(465, **{"ca_file": ca_file, **settings}, password=password)
    assert not password or password not in everything_told(refused.value)


def test_a_ca_file_that_is_no_certificate_is_told(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("证书", encoding="utf-8")
    with pytest.raises(ConfigError, match="ca_file"):
        post(465, str(path))


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"abc 123\n", "abc 123"),
        (b"\xef\xbb\xbf  abc\t\r\nsecond line\r\n", "abc"),
        (b"abc", "abc"),
        (b"", ""),
        (b"\nabc", ""),
    ],
)
def test_the_password_is_the_first_line_of_its_file(tmp_path, content, password):
    write_password(tmp_path, content)
    assert read_password(tmp_path) == password


def write_password(folder, content, mode=0o600):
    path = folder / PASSWORD_FILE
    path.write_bytes(content)
    path.chmod(mode)


def test_there_need_be_no_password(tmp_path):
    assert read_password(tmp_path) == ""
    assert read_password(tmp_path / "not there yet") == ""


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps rights otherwise")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_password_that_others_may_read_is_not_used(tmp_path, mode):
    write_password(tmp_path, PASSWORD.encode(), mode)
    with pytest.raises(ConfigError, match="chmod 600") as refused:
        read_password(tmp_path)
    assert PASSWORD not in everything_told(refused.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_password_of_ones_own_is_used(tmp_path, mode):
    write_password(tmp_path, PASSWORD.encode(), mode)
    assert read_password(tmp_path) == PASSWORD


def test_a_password_in_another_encoding_is_told_without_it(tmp_path):
    write_password(tmp_path, PASSWORD.encode("utf-16"))
    with pytest.raises(ConfigError, match="UTF-8") as refused:
        read_password(tmp_path)
    assert refused.value.__context__ is None
