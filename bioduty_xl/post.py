"""The post: sends a letter by SMTP, under TLS or not at all.

It knows nothing of returns, units or ledgers: who is to get what, whether it was sent before and
when to try again is for its caller to know. No clock is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import smtplib
import ssl
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import encode_rfc2231, format_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bioduty_xl.config import SETTINGS_FILE, Mail, Security
from bioduty_xl.domain.address import is_mail_address
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.language import say

PASSWORD_FILE = "mail.password"  # noqa: S105 - a file's name

_OFFICE = "application/vnd.openxmlformats-officedocument."
_TYPES = {
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
}
_LINE_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_WIRE = SMTP_POLICY.clone(cte_type="7bit", refold_source="none")
"""SMTP's line ends, nothing beyond ASCII, which not every server takes, and headers folded as they
are here: the email package itself breaks xlsx's type in two and loses blanks of a long subject.
"""

_OURSELVES = "[127.0.0.1]"
"""What we call ourselves to the server. A computer's own name may be in Chinese, which SMTP cannot
carry, and concerns nobody."""

_CLOSING, _TOO_LARGE, _TOO_LARGE_OF_ANY_CODE = 421, 552, "5.3.4"


class Unreachable(BiodutyError):
    """The server was not reached, cannot be trusted or lets us not in: nothing more can be sent in
    this pass.
    """


class Refused(BiodutyError):
    """The server took this letter for none of its addresses; others may well go.

    Attributes:
        is_temporary: the server says that it may take it later.
    """

    def __init__(self, message: str, *details: str, is_temporary: bool = False) -> None:
        super().__init__(message, *details)
        self.is_temporary = is_temporary


@dataclass(frozen=True)
class Letter:
    """One mail.

    Attributes:
        matter: a stable key of what it is about, such as `2024Q2/U01/form`.
        to: addresses, each of which sees the others.
        subject: a line break in it becomes a blank.
        text: plain text.
        attachments: files, which arrive under their own names.
    """

    matter: str
    to: tuple[str, ...]
    subject: str
    text: str
    attachments: tuple[Path, ...] = ()


class Post:
    """A connection to the mail server, made for the first letter and used for those that follow.

    Leave its `with` block to hang up. A server that hung up between two letters is called again,
    once for each letter.

    Args:
        settings: where mail goes out; `ca_file` is trusted beside what the system trusts.
        password: of `settings.user`; empty where there is no login.
        sender_name: what recipients see beside the sender's address.

    Raises:
        ConfigError: there is no host, the sender is no address, the password is missing, the user
            or the password is not in ASCII, or `ca_file` holds no certificate.
    """

    def __init__(self, settings: Mail, password: str, sender_name: str) -> None:
        _require_usable(settings, password)
        self._settings = settings
        self._password = password
        self._sender_name = sender_name
        self._context = _trusting(settings.ca_file)
        self._server: smtplib.SMTP | None = None

    def __repr__(self) -> str:
        return f"Post({self._settings.host}:{self._settings.port})"  # without the password

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up(politely=kind is None)

    def send(self, letter: Letter, moment: datetime) -> tuple[str, ...]:
        """Send a letter once to all its addresses.

        One message goes to all. Where the server refuses some of the addresses, the others get it
        and the refused ones are returned, so that the caller can record each and try those again,
        in a letter to them alone, without a second copy for the others.

        When the connection breaks while the letter is on its way, nobody knows whether it arrived:
        `Unreachable` is raised, and the same letter sent again has the same Message-ID (of sender,
        matter and addresses), by which servers and clients know it.

        Args:
            moment: the date of the letter, with its time zone.

        Returns:
            The addresses that were refused; empty when all went well.

        Raises:
            Unreachable: nothing can be sent now.
            Refused: nobody gets this letter.
            OSError: an attachment cannot be read.
        """
        content = self._written(letter, moment).as_bytes()
        server = self._connected()
        try:
            refused = server.sendmail(
                self._settings.sender, tuple(dict.fromkeys(letter.to)), content
            )
        except OSError as error:  # all of smtplib's errors are
            failure = _failure(error, self._settings)
        else:
            return tuple(refused)
        raise failure

    def _written(self, letter: Letter, moment: datetime) -> EmailMessage:
        """The message; the same letter, sender and moment give the same bytes."""
        _require_addresses(letter.to)
        message = EmailMessage(policy=_WIRE)
        key = _key(self._settings.sender, letter)
        message.set_raw("From", _sender(self._sender_name, self._settings.sender))
        message.set_raw("To", ",\r\n ".join(dict.fromkeys(letter.to)))
        message.set_raw("Subject", _words(letter.subject))
        message["Date"] = format_datetime(moment.astimezone(CHINA))
        message["Message-ID"] = f"<{key}@{self._settings.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(_encodable(letter.text))
        for path in letter.attachments:
            _attach(message, path)
        if message.is_multipart():
            message.set_boundary(f"=_{key}")  # not in base64, and not by chance
        return message

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None and not _answers(self._server):
            self._hang_up()
        if self._server is None:
            self._server = self._connect()
        return self._server

    def _connect(self) -> smtplib.SMTP:
        """A server that is who it says, and has let us in.

        Raises:
            Unreachable: it is not to be had; nothing stays open.
        """
        try:
            server = self._call()
        except (OSError, UnicodeError) as error:  # a host's name that is none is a UnicodeError
            raise _failure(error, self._settings) from None
        try:
            self._greet(server)
        except OSError as error:
            server.close()
            raise _failure(error, self._settings) from None
        except BaseException:
            server.close()
            raise
        return server

    def _call(self) -> smtplib.SMTP:
        where = self._settings
        if where.security is Security.TLS:
            return smtplib.SMTP_SSL(
                where.host, where.port, _OURSELVES, timeout=where.seconds, context=self._context
            )
        return smtplib.SMTP(where.host, where.port, _OURSELVES, timeout=where.seconds)

    def _greet(self, server: smtplib.SMTP) -> None:
        if self._settings.security is Security.STARTTLS:
            server.ehlo_or_helo_if_needed()
            if not server.has_extn("starttls"):
                raise Unreachable(
                    say(
                        "邮件服务器 {server} 不提供加密连接（STARTTLS），没有发送；"
                        "请向邮箱管理员问明端口，或将 {file} 的 mail.security 改为 tls",
                        server=_where(self._settings),
                        file=SETTINGS_FILE,
                    )
                )
            server.starttls(context=self._context)
        if self._settings.user:
            server.login(self._settings.user, self._password)

    def _hang_up(self, *, politely: bool = False) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(OSError):
                if politely:
                    server.quit()
            server.close()


def read_password(state_dir: Path) -> str:
    """The mail password: the first line of `mail.password` in a workspace's state folder.

    Returns:
        It, without blanks around it; empty where there is no such file.

    Raises:
        ConfigError: others than its owner may read the file (POSIX), or it is not in UTF-8.
        OSError: it cannot be read.
    """
    path = state_dir / PASSWORD_FILE
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read()
    except FileNotFoundError:
        return ""
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            say("邮箱密码文件 {path} 其他用户也能读取，请执行 chmod 600 '{path}'", path=path)
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None  # the error holds the password: it must not become another one's context
    if text is None:
        raise ConfigError(
            say(
                "邮箱密码文件 {path} 不是 UTF-8 编码，请用记事本打开，另存为时编码选“UTF-8”",
                path=path,
            )
        )
    return text.partition("\n")[0].strip()


def _require_usable(settings: Mail, password: str) -> None:
    if not settings.host:
        raise ConfigError(
            say("{file} 的 mail.host（邮件服务器）没有写，不能发送邮件", file=SETTINGS_FILE)
        )
    if not is_mail_address(settings.sender):
        raise ConfigError(
            say(
                "{file} 的 mail.sender 应只写一个邮箱地址，不能写“{sender}”",
                file=SETTINGS_FILE,
                sender=settings.sender,
            )
        )
    if settings.user and not password:
        raise ConfigError(
            say(
                "{file} 写了 mail.user，但没有密码：请将密码写入状态文件夹的 {password_file}，"
                "只写一行",
                file=SETTINGS_FILE,
                password_file=PASSWORD_FILE,
            )
        )
    if not (settings.user.isascii() and password.isascii()):
        raise ConfigError(
            say(
                "mail.user 和 {password_file} 中的密码不能有中文或全角字符，请检查输入法后重写",
                password_file=PASSWORD_FILE,
            )
        )


def _trusting(ca_file: str) -> ssl.SSLContext:
    """TLS that verifies certificate and host name, by what the system trusts and a file."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(
                say(
                    "{file} 的 mail.ca_file 不能使用，请写 PEM 格式证书文件的完整路径：{ca_file}",
                    file=SETTINGS_FILE,
                    ca_file=ca_file,
                ),
                str(error),
            ) from None
    return context


def _require_addresses(addresses: Iterable[str]) -> None:
    """A letter has addresses, and nothing in them can be taken for a header or another address."""
    given = list(addresses)
    wrong = [address for address in given if not is_mail_address(address)]
    if wrong or not given:
        raise Refused(
            say("收件地址有误，没有发送，请更正邮箱地址"), *(repr(text) for text in wrong)
        )


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", _encodable(text)).strip()


def _encodable(text: str) -> str:
    """Text without halves of characters, which names of files may have."""
    return text.encode("utf-8", "replace").decode()


def _key(sender: str, letter: Letter) -> str:
    """128 bits that name a letter: the same sender, matter and addresses, the same letter."""
    parts = (sender, letter.matter, *sorted(set(letter.to)))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _sender(name: str, address: str) -> str:
    return f"{_words(name)}\r\n <{address}>" if name else address


def _words(text: str) -> str:
    """A text for people as a header carries it: RFC 2047 words, folded."""
    return Header(_one_line(text), "utf-8", maxlinelen=66).encode(linesep="\r\n")


def _attach(message: EmailMessage, path: Path) -> None:
    """Attach a file. Its name is given twice, because mail programs differ in what they read: as
    RFC 2231 wants it, and, where older ones look, as RFC 2047 words.
    """
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    main, sub = kind.split("/")
    message.add_attachment(path.read_bytes(), maintype=main, subtype=sub)
    part = list(message.iter_attachments())[-1]
    del part["Content-Type"], part["Content-Disposition"]
    name = encode_rfc2231(_one_line(path.name), "utf-8")
    part.set_raw("Content-Type", f'{kind};\r\n name="{_words(path.name)}"')
    part.set_raw("Content-Disposition", f"attachment;\r\n filename*={name}")


def _answers(server: smtplib.SMTP) -> bool:
    try:
        return server.noop()[0] == 250
    except OSError:
        return False


def _failure(error: Exception, settings: Mail) -> BiodutyError:
    """What the operator can do about what came of a call."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _all_refused(error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Unreachable(
            say(
                "邮件服务器 {server} 不接受用户名或密码（{code}），"
                "请核对 {file} 的 mail.user 和 {password_file}；多数公共邮箱要用“授权码”，"
                "不是登录密码",
                server=_where(settings),
                code=error.smtp_code,
                file=SETTINGS_FILE,
                password_file=PASSWORD_FILE,
            )
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(error, settings)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            say(
                "邮件服务器 {server} 的证书不能通过验证，没有发送；请核对 mail.host，"
                "单位自建的邮件服务器须在 mail.ca_file 写明根证书文件",
                server=_where(settings),
            ),
            error.verify_message,
        )
    if isinstance(error, smtplib.SMTPNotSupportedError) or type(error) is smtplib.SMTPException:
        return Unreachable(
            say(
                "邮件服务器 {server} 不提供所要的登录方式，请向邮箱管理员问明，"
                "不需登录时将 {file} 的 mail.user 留空",
                server=_where(settings),
                file=SETTINGS_FILE,
            )
        )
    return Unreachable(
        say(
            "与邮件服务器 {server} 的连接没有建立或已中断，"
            "请检查网络和 {file} 的 mail.host、port、security（465 端口用 tls，"
            "587 端口用 starttls）",
            server=_where(settings),
            file=SETTINGS_FILE,
        ),
        f"{type(error).__name__}: {error}",
    )


def _all_refused(error: smtplib.SMTPRecipientsRefused) -> BiodutyError:
    answers = list(error.recipients.values())
    if any(code == _CLOSING for code, _ in answers):
        return Unreachable(say("邮件服务器暂不接受邮件，请稍后再试"), *_quoted(answers))
    return Refused(
        say("收件地址 {count} 个，全部被邮件服务器拒收，请核对邮箱地址", count=len(answers)),
        *_quoted(answers),
        is_temporary=any(400 <= code < 500 for code, _ in answers),
    )


def _answered(error: smtplib.SMTPResponseException, settings: Mail) -> BiodutyError:
    code, said = error.smtp_code, _quoted([(error.smtp_code, error.smtp_error)])
    if code == _CLOSING or isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return Unreachable(
            say("邮件服务器 {server} 暂不接受连接，请稍后再试", server=_where(settings)), *said
        )
    if code == _TOO_LARGE or any(_TOO_LARGE_OF_ANY_CODE in line for line in said):
        return Refused(say("邮件超过服务器允许的大小，请减小附件，或用其他方式送达"), *said)
    if isinstance(error, smtplib.SMTPDataError) or 400 <= code < 500:
        return Refused(
            say("邮件服务器不接受这封邮件，请按服务器的答复处理"), *said, is_temporary=code < 500
        )
    return Unreachable(
        say(
            "邮件服务器 {server} 不让用 {sender} 发送，请核对 {file} 的 mail.sender 和 mail.user",
            server=_where(settings),
            sender=settings.sender,
            file=SETTINGS_FILE,
        ),
        *said,
    )


def _quoted(answers: Iterable[tuple[int, bytes | str]]) -> list[str]:
    """What a server answered, each once, as lines that are safe to print."""
    texts = (
        (code, said.decode("utf-8", "replace") if isinstance(said, bytes) else said)
        for code, said in answers
    )
    return list(
        dict.fromkeys(
            say("服务器答复：{code} {said}", code=code, said=_one_line(text))
            for code, text in texts
        )
    )


def _where(settings: Mail) -> str:
    return f"{settings.host}:{settings.port}"
