"""A real mail server on this machine, with certificates, and the letters that it got."""

import asyncio
import email
import email.policy
import re
import socket
import ssl
import threading
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from bioduty_xl.config import Security

HOST = "127.0.0.1"
PASSWORD = "secret-of-the-test"


class Box:
    """What a server got, and how it answers.

    Attributes:
        letters: (recipients, bytes) of each letter taken.
        sessions: of the connections that sent a letter or tried to.
        mail, data: answers to MAIL and DATA that are not 250.
        refusals: answers to RCPT, by address.
        drops: hang up instead of an answer to DATA, or after it.
        asked: how often an address was named.
        hold: an event before which no letter is taken; `is_asked` says that one waits.
    """

    def __init__(self):
        self.letters, self.sessions, self.logins = [], [], []
        self.mail = self.data = self.drops = None
        self.refusals, self.asked = {}, 0
        self.hold, self.is_asked = None, threading.Event()
        self.has_dropped = threading.Event()

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if session not in self.sessions:
            self.sessions.append(session)
        envelope.mail_from = address
        if self.logins and not session.authenticated:
            return "530 5.7.0 Authentication required"
        return self.mail or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.asked += 1
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.hold is not None:
            self.is_asked.set()
            await asyncio.to_thread(self.hold.wait, 60)
        if self.data:
            return self.data
        self.letters.append((envelope.rcpt_tos, envelope.content))
        if self.drops == "instead":
            self._drop(server)
        elif self.drops == "after":
            asyncio.get_running_loop().call_later(0.05, self._drop, server)
        return "250 OK"

    def _drop(self, server):
        server.transport.close()
        self.has_dropped.set()

    def authenticate(self, server, session, envelope, mechanism, auth_data):
        good = (auth_data.login, auth_data.password) == (b"office", PASSWORD.encode())
        self.logins.append(good)
        return AuthResult(success=good, handled=False)

    def messages(self, policy=email.policy.default):
        return [email.message_from_bytes(content, policy=policy) for _, content in self.letters]


def certified(authority, name=HOST):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def set_mail(root, port):
    """Have a workspace send its mail to a port of this machine."""
    settings = root / "bioduty.toml"
    text = re.sub(r"(?s)\n\[mail\].*?(?=\n\[|\Z)", "", settings.read_text("utf-8"))
    mail = f'''
[mail]
host = "{HOST}"
port = {port}
sender = "office@example.org"
ca_file = "根证书.pem"
'''
    settings.write_text(text + mail, encoding="utf-8")


def free_port():
    with socket.create_server((HOST, 0)) as taken:
        return taken.getsockname()[1]


@contextmanager
def serving(box, context, security, *, with_login=False, **more):
    """A server's port, for as long as the block lasts."""
    if with_login:
        more |= {"authenticator": box.authenticate, "auth_require_tls": False}
    if security is Security.TLS:
        more["ssl_context"] = context
    elif context is not None:
        more |= {"tls_context": context, "require_starttls": True}
    controller = Controller(box, hostname=HOST, port=free_port(), **more)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
