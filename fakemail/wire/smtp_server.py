"""SMTP connections, on top of aiosmtpd: the one door to it.

The dialogue is our own session core, fed straight from the socket. Each connection is an
``aiosmtpd.smtp.SMTP`` all the same, so that a handler written for aiosmtpd's ``Controller`` can be
attached to a host: its hooks are awaited with that connection, an aiosmtpd ``Session`` and an aiosmtpd
``Envelope``, and what they return is the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import signature
from typing import Any

from aiosmtpd.smtp import SMTP, LoginPassword
from aiosmtpd.smtp import Envelope as HandlerEnvelope
from aiosmtpd.smtp import Session as HandlerSession

from fakemail.errors import ProtocolError, ServerError
from fakemail.message.envelope import Envelope
from fakemail.sasl.exchange import CredentialStore
from fakemail.smtp.backend import Backend, Receipt
from fakemail.smtp.session import SmtpSession
from fakemail.smtp.xclient import Introduction
from fakemail.types.address import Address, NullPath, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply, read_reply
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.verdict import ACCEPTED, Verdict, VerdictAction
from fakemail.wire.connection import Connection, Port


class SmtpConnection(Connection, SMTP):
    """One SMTP connection."""

    def __init__(self, port: Port) -> None:
        Connection.__init__(self, port)
        self.handler = port.handler
        """The aiosmtpd handler of the host, if it has one."""
        self.asked: HandlerBackend | None = None
        """The backend that asks the handler."""
        if self.handler is not None:
            # aiosmtpd looks through its handler and itself for hooks here: work that is done for
            # those only who attached one.
            loop = asyncio.get_running_loop()
            SMTP.__init__(self, self.handler, hostname=port.host, loop=loop, enable_SMTPUTF8=True)

    @property
    def line(self) -> str:
        """The command that is being answered."""
        return self._session.line if isinstance(self._session, SmtpSession) else ""

    @property
    def is_secured(self) -> bool:
        """Whether TLS is active."""
        return isinstance(self._session, SmtpSession) and self._session.channel is not None

    def greeting(self) -> list[str]:
        """The lines of the reply to EHLO, as a handler's hook gets them."""
        session = self._session
        if not isinstance(session, SmtpSession):
            return []
        keywords = session.profile.keywords(session.channel, authenticated=bool(session.login))
        *others, last = (self.port.host, *keywords)
        return [*(f"250-{line}" for line in others), f"250 {last}"]

    def ask_handler(self, command: str, *arguments: object) -> bool:
        """Call the handler's hook for a command that is no decision of the host, such as NOOP; false if it has none.

        Its verdict comes as an answer of the backend.
        """
        return self.asked is not None and self.asked.ask(command, *arguments)

    def take_handler_reply(self) -> Reply | None:
        """The reply that the handler has just given, once."""
        return None if self.asked is None else self.asked.take_reply()

    def authenticate(
        self, authenticator: Callable[..., Any], mechanism: str, login: str, password: str
    ) -> bool:
        """Whether an authenticator written for aiosmtpd lets a client in."""
        session = envelope = None
        if self.asked is not None:
            session, envelope = self.asked.session, self.asked.envelope
        data = LoginPassword(login.encode(), password.encode())
        result = authenticator(self, session, envelope, mechanism, data)
        if session is not None and result.success:
            session.auth_data, session.authenticated = result.auth_data, True
        return bool(result.success)


class HandlerBackend:
    """The decisions of a host, and those of the attached handler on top of them."""

    def __init__(self, connection: SmtpConnection, own: Backend, *, replies_to_errors: bool = False) -> None:
        """``replies_to_errors`` is whether an exception of the handler becomes a reply, and fails no test."""
        self._connection = connection
        connection.asked = self
        self._own = own
        self._replies_to_errors = replies_to_errors
        self.credentials: CredentialStore = own.credentials
        self.chance: SeededRandom = own.chance
        loop = asyncio.get_running_loop()
        self.session = HandlerSession(loop)
        self.session.peer = connection.peer[:2]  # type: ignore[assignment]  # it says str and means the tuple
        self.envelope = HandlerEnvelope()
        connection.session, connection.envelope = self.session, self.envelope
        self._reply: Reply | None = None
        self._said: dict[str, str] = {}
        """The recipients as the client wrote them, by their keys."""

    @property
    def on_answer(self) -> Callable[[Verdict | Receipt], None]:
        return self._own.on_answer

    @on_answer.setter
    def on_answer(self, on_answer: Callable[[Verdict | Receipt], None]) -> None:
        self._own.on_answer = on_answer

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        return self._own.introduce(said, peer)

    def check_client(self) -> Verdict | None:
        return self._own.check_client()

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        verdict = self._own.check_hello(name, channel)
        if verdict is None or not verdict.is_accepted:
            return verdict
        session = self.session
        self._begin()
        session.extended_smtp = self._connection.line[:4].upper() == "EHLO"
        session.ssl = None if channel is None else {"cipher": (channel.cipher, channel.version, 0)}
        command = "EHLO" if session.extended_smtp else "HELO"
        if not self._has(command):
            session.host_name = name
            return verdict
        arguments: list[object] = [name]
        if command == "EHLO" and len(signature(self._connection._handle_hooks[command]).parameters) > 4:
            arguments.append(self._connection.greeting())
        self.ask(command, *arguments)
        return None

    def _begin(self) -> None:
        """A new envelope, which the handler finds at the connection as well."""
        self.envelope = self._connection.envelope = HandlerEnvelope()

    def check_data(self) -> Verdict | None:
        return self._own.check_data()

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        verdict = self._own.check_sender(sender, login)
        if verdict is None or not verdict.is_accepted:
            return verdict
        self._begin()
        self._said.clear()
        self.session.authenticated = bool(login)
        text, options = self._argument("" if isinstance(sender, NullPath) else str(sender))
        if self.ask("MAIL", text, options):
            return None
        # A handler without the hook leaves the bookkeeping to the server.
        self.envelope.mail_from = text
        self.envelope.mail_options.extend(options)
        return verdict

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        verdict = self._own.check_recipient(recipient, login)
        if verdict is None or not verdict.is_accepted:
            return verdict
        text, options = self._argument(str(recipient))
        self._said[recipient.key] = text
        if self.ask("RCPT", text, options):
            return None
        self.envelope.rcpt_tos.append(text)
        self.envelope.rcpt_options.extend(options)
        return verdict

    def _argument(self, address: str) -> tuple[str, list[str]]:
        """The address as the client wrote it, and the parameters behind it."""
        path, bracket, parameters = self._connection.line.partition(":")[2].rpartition(">")
        if not bracket:
            return address, []
        return path.partition("<")[2].rpartition(":")[2], parameters.upper().split()

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        given = self.envelope
        given.content = given.original_content = content
        given.rcpt_tos = [self._said.get(address.key, str(address)) for address in envelope.addresses]
        given.smtp_utf8 = envelope.smtputf8
        if not self._has("DATA"):
            return self._own.take(envelope, content)
        self._connection.port.supervisor.spawn(self._take(envelope, content), "handle_DATA")
        return None

    def verify(self, name: str) -> tuple[Address, ...]:
        return self._own.verify(name)

    def expand(self, name: str) -> tuple[Address, ...]:
        return self._own.expand(name)

    def _has(self, command: str) -> bool:
        return command in self._connection._handle_hooks

    def ask(self, command: str, *arguments: object) -> bool:
        """Call a hook, whose verdict the session gets later; false if there is no such hook."""
        if command == "RSET":
            self._begin()
        if not self._has(command):
            return False
        self._connection.port.supervisor.spawn(self._judge(command, arguments), f"handle_{command}")
        return True

    def take_reply(self) -> Reply | None:
        reply, self._reply = self._reply, None
        return reply

    async def _judge(self, command: str, arguments: tuple[object, ...]) -> None:
        self.on_answer(await self._call(command, *arguments))

    async def _take(self, envelope: Envelope, content: bytes) -> None:
        verdict = await self._call("DATA")
        if verdict.is_accepted:
            receipt = self._own.take(envelope, content)
            if receipt is not None:  # else the host answers later by itself
                self.on_answer(receipt)
        else:
            self.on_answer(Receipt(verdict))

    async def _call(self, command: str, *arguments: object) -> Verdict:
        hook = self._connection._handle_hooks[command]
        try:
            status = await hook(self._connection, self.session, self.envelope, *arguments)
            self._reply = read_reply(_lines(status))
        except ProtocolError:
            self._connection.report(
                ServerError(f"handle_{command} returned {status!r}, which is no SMTP reply such as '250 OK'.")
            )
            return Verdict(VerdictAction.DEFER, Reason.LOCAL_ERROR)
        except Exception as error:
            return await self._failed(error)
        return _verdict(self._reply)

    async def _failed(self, error: Exception) -> Verdict:
        """The reply that a handler's exception becomes, or an error of the test."""
        hook = self._connection._handle_hooks.get("exception")
        try:
            if hook is not None:
                return _verdict(read_reply(_lines(await hook(error))))
        except Exception as another:
            error = another
        if self._replies_to_errors:
            said = Reply(
                500, None, f"Error: ({type(error).__name__}) {error}".replace("\r", "").replace("\n", " ")
            )
            return Verdict(VerdictAction.REFUSE, Reason.HANDLER, reply=said)
        self._connection.report(error)
        return Verdict(VerdictAction.DEFER, Reason.LOCAL_ERROR)


def _lines(status: object) -> list[bytes]:
    """The lines of a status, or of the list of them that a hook for EHLO returns."""
    if isinstance(status, list):
        refused = [each for each in status if not str(each).startswith("250")]
        status = "\n".join(refused[:1] or status)
    return str(status).encode().splitlines()


def _verdict(reply: Reply) -> Verdict:
    if reply.is_positive:
        return ACCEPTED
    action = VerdictAction.DEFER if reply.is_transient else VerdictAction.REFUSE
    return Verdict(action, Reason.HANDLER, reply=reply)
