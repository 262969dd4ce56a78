"""Controllers for handlers written for aiosmtpd, and the fixture ``smtp_controller`` of ``mailnet_compat``."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import Message as StandardMessage
from typing import Any

import pytest
from aiosmtpd.handlers import Message, Proxy
from aiosmtpd.smtp import AuthResult

from fakemail import DeclarationError, MailNet, PortInUse
from fakemail.compat.aiosmtpd import Controller
from fakemail.tls.authority import process_authority

Start = Callable[..., Controller]
TEXT = "Subject: Hi\n\nHello\n"


def connect(controller: Controller) -> smtplib.SMTP:
    return smtplib.SMTP(controller.hostname, controller.port, timeout=10)


class Recorder:
    """A handler that notes which hooks are called, and with what."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.content: Any = None

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.said.append(("EHLO", hostname))
        return [*responses[:-1], "250-XTRA 42", responses[-1]]

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.said.append(("MAIL", address, options))
        envelope.mail_from = address
        return "250 sender noted"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.said.append(("RCPT", address))
        if address.startswith("full"):
            return "452 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.content = envelope.content
        self.said.append(("DATA", session.host_name, envelope.mail_from, envelope.rcpt_tos))
        return "250 Message accepted for delivery"

    async def handle_NOOP(self, server: Any, session: Any, envelope: Any, arg: str | None) -> str:
        return f"250 noop {arg}"

    async def handle_RSET(self, server: Any, session: Any, envelope: Any) -> str:
        assert envelope.mail_from is None
        return "250 all forgotten"

    async def handle_VRFY(self, server: Any, session: Any, envelope: Any, address: str) -> str:
        return f"550 {address} is nobody"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return "221 so long"


def test_the_hooks_of_a_handler(smtp_controller: Start, mailnet: MailNet) -> None:
    handler = Recorder()
    controller = smtp_controller(handler)
    with connect(controller) as client:
        client.ehlo("app.example.com")
        assert client.esmtp_features["xtra"] == "42"
        assert client.mail("Anne@Example.com", ["size=20"]) == (250, b"sender noted")
        assert client.rcpt("full@example.org") == (452, b"mailbox full")
        assert client.rcpt("Bob@Example.org") == (250, b"OK")
        assert client.data(TEXT) == (250, b"Message accepted for delivery")
        assert client.noop() == (250, b"noop None")
        assert client.docmd("VRFY", "x@example.org") == (550, b"x@example.org is nobody")
        client.mail("anne@example.com")
        assert client.rset() == (250, b"all forgotten")
        assert client.quit() == (221, b"so long")
    assert handler.said[:5] == [
        ("EHLO", "app.example.com"),
        ("MAIL", "Anne@Example.com", ["SIZE=20"]),
        ("RCPT", "full@example.org"),
        ("RCPT", "Bob@Example.org"),
        ("DATA", "app.example.com", "Anne@Example.com", ["Bob@Example.org"]),
    ]
    assert handler.content == b"Subject: Hi\r\n\r\nHello\r\n"
    assert mailnet.account("bob@example.org").inbox.one().subject == "Hi"


class Raising:
    async def handle_RCPT(self, *_: Any) -> str:
        raise ValueError("out of ideas")


class Answering(Raising):
    async def handle_exception(self, error: Exception) -> str:
        return f"451 sorry: {error}"


@pytest.mark.parametrize(
    ("handler", "said"),
    [(Raising(), (500, b"Error: (ValueError) out of ideas")), (Answering(), (451, b"sorry: out of ideas"))],
)
def test_an_exception_is_a_reply(smtp_controller: Start, handler: object, said: tuple[int, bytes]) -> None:
    with connect(smtp_controller(handler)) as client:
        client.ehlo()
        client.mail("anne@example.com")
        assert client.rcpt("bob@example.org") == said


def test_a_handler_from_aiosmtpd_itself(smtp_controller: Start) -> None:
    class Keep(Message):
        def __init__(self) -> None:
            super().__init__()
            self.kept: list[StandardMessage] = []

        def handle_message(self, message: StandardMessage) -> None:
            self.kept.append(message)

    handler = Keep()
    with connect(smtp_controller(handler)) as client:
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)
    assert handler.kept[0]["X-RcptTo"] == "bob@example.org"


def test_a_handler_that_blocks_can_send_to_another_server(smtp_controller: Start, mailnet: MailNet) -> None:
    last = Recorder()
    behind = smtp_controller(last)
    with connect(smtp_controller(Proxy("127.0.0.1", behind.port))) as client:
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)
    assert b"X-Peer: 127.0.0.1" in last.content


def test_content_as_text(smtp_controller: Start) -> None:
    handler = Recorder()
    with connect(smtp_controller(handler, decode_data=True)) as client:
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)
    assert handler.content == "Subject: Hi\r\n\r\nHello\r\n"


def test_a_login_by_callback(smtp_controller: Start) -> None:
    controller = smtp_controller(
        object(),
        auth_required=True,
        auth_require_tls=False,
        auth_callback=lambda mechanism, login, password: (login, password) == (b"anne", b"s3cret"),
    )
    with connect(controller) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.sendmail("anne@example.com", ["bob@example.org"], TEXT)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("anne", "wrong")
        client.login("anne", "s3cret")
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)


def test_a_login_by_authenticator(smtp_controller: Start) -> None:
    class Peek:
        seen: Any = None

        async def handle_MAIL(
            self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
        ) -> str:
            self.seen = session.authenticated, session.auth_data
            envelope.mail_from = address
            return "250 OK"

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == data.login[::-1], auth_data=data.login.decode())

    handler = Peek()
    controller = smtp_controller(handler, auth_require_tls=False, authenticator=authenticate)
    with connect(controller) as client:
        client.login("anne", "enna")
        client.mail("anne@example.com")
    assert handler.seen == (True, "anne")


def test_excluded_mechanisms(smtp_controller: Start) -> None:
    controller = smtp_controller(object(), auth_require_tls=False, auth_exclude_mechanism=["LOGIN"])
    with connect(controller) as client:
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["PLAIN"]


def server_side() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    process_authority().leaf("localhost", addresses=["127.0.0.1"]).install(context)
    return context


def test_starttls(smtp_controller: Start, mailnet: MailNet) -> None:
    controller = smtp_controller(object(), tls_context=server_side(), require_starttls=True)
    with connect(controller) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 530
        client.starttls(context=mailnet.ssl_context)
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)


def test_tls_from_the_first_byte(smtp_controller: Start, mailnet: MailNet) -> None:
    controller = smtp_controller(object(), ssl_context=server_side())
    with smtplib.SMTP_SSL("127.0.0.1", controller.port, context=mailnet.ssl_context, timeout=10) as client:
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)


def test_limits(smtp_controller: Start) -> None:
    controller = smtp_controller(object(), data_size_limit=100, command_call_limit={"NOOP": 2})
    with connect(controller) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="message size exceeds"):
            client.sendmail("anne@example.com", ["bob@example.org"], TEXT + "x" * 100)
        assert [client.noop()[0] for _ in range(3)] == [250, 250, 421]


def test_the_name_of_the_server(smtp_controller: Start) -> None:
    with connect(smtp_controller(object(), server_hostname="mail.example.com")) as client:
        assert client.ehlo()[1].split(b"\n")[0] == b"mail.example.com"


def test_starting_and_stopping(mailnet: MailNet) -> None:
    controller = Controller(object(), port=0)
    with pytest.raises(AssertionError, match="not running"):
        controller.stop()
    with pytest.raises(DeclarationError, match="not started"):
        assert controller.host
    controller.start()
    assert controller.port != 0
    with pytest.raises(AssertionError, match="already running"):
        controller.start()
    with pytest.raises(PortInUse):
        Controller(object(), port=controller.port, mailnet=mailnet).start()
    port = controller.port
    controller.stop()
    controller.stop(no_assert=True)
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", port)
    controller.start()
    assert controller.port == port
    controller.stop()


@pytest.mark.parametrize("hostname", ["192.0.2.1", "::1"])
def test_it_listens_on_loopback_only(mailnet: MailNet, hostname: str) -> None:
    with pytest.raises(DeclarationError):
        Controller(object(), hostname=hostname, port=0, mailnet=mailnet).start()


def test_a_parameter_that_there_is_not(mailnet: MailNet) -> None:
    with pytest.raises(TypeError, match="flavour"):
        Controller(object(), port=0, mailnet=mailnet, flavour="mint").start()


def test_hooks_run_on_the_loop_that_is_given(mailnet: MailNet) -> None:
    class Where:
        loop: Any = None

        async def handle_DATA(self, *_: Any) -> str:
            self.loop = asyncio.get_running_loop()
            return "250 OK"

    handler, loop = Where(), asyncio.new_event_loop()
    controller = Controller(handler, port=0, loop=loop, mailnet=mailnet)
    controller.start()
    with connect(controller) as client:
        client.sendmail("anne@example.com", ["bob@example.org"], TEXT)
    controller.stop()
    assert handler.loop is loop is controller.loop
    loop.close()
