"""SMTP connections, on top of aiosmtpd: the one door to it.

The dialogue is our own session core, fed straight from the socket. Each connection is an
``aiosmtpd.smtp.SMTP`` all the same, so that a handler written for aiosmtpd's ``Controller`` can be
attached to a host: its ``handle_MAIL``, ``handle_RCPT`` and ``handle_DATA`` are awaited with that
connection, an aiosmtpd ``Session`` and an aiosmtpd ``Envelope``, and what they return is the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as HandlerEnvelope
from aiosmtpd.smtp import Session as HandlerSession

from fakemail.errors import ProtocolError, ServerError
from fakemail.message.envelope import Envelope
from fakemail.sasl.exchange import CredentialStore
from fakemail.smtp.backend import Backend, Receipt
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
        if self.handler is not None:
            # aiosmtpd looks through its handler and itself for hooks here: work that is done for
            # those only who attached one.
            loop = asyncio.get_running_loop()
            SMTP.__init__(self, self.handler, hostname=port.host, loop=loop, enable_SMTPUTF8=True)


class HandlerBackend:
    """The decisions of a host, and those of the attached handler on top of them."""

    def __init__(self, connection: SmtpConnection, own: Backend) -> None:
        self._connection = connection
        self._own = own
        self.credentials: CredentialStore = own.credentials
        self.chance: SeededRandom = own.chance
        loop = asyncio.get_running_loop()
        self._session = HandlerSession(loop)
        self._session.peer = connection.peer[:2]  # type: ignore[assignment]  # it says str and means the tuple
        self._envelope = HandlerEnvelope()

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
        return self._own.check_hello(name, channel)

    def check_data(self) -> Verdict | None:
        return self._own.check_data()

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        verdict = self._own.check_sender(sender, login)
        if verdict is None or not verdict.is_accepted:
            return verdict
        self._envelope = HandlerEnvelope()
        self._session.authenticated = bool(login)
        text = "" if isinstance(sender, NullPath) else str(sender)
        return self._ask("MAIL", text, verdict)

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        verdict = self._own.check_recipient(recipient, login)
        if verdict is None or not verdict.is_accepted:
            return verdict
        return self._ask("RCPT", str(recipient), verdict)

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        given = self._envelope
        given.content = given.original_content = content
        given.rcpt_tos = [str(address) for address in envelope.addresses]
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

    def _ask(self, command: str, text: str, verdict: Verdict) -> Verdict | None:
        if not self._has(command):
            self._remember(command, text)
            return verdict
        self._connection.port.supervisor.spawn(self._judge(command, text), f"handle_{command}")
        return None

    def _remember(self, command: str, text: str) -> None:
        """A handler without the hook leaves the bookkeeping to the server."""
        if command == "MAIL":
            self._envelope.mail_from = text
        else:
            self._envelope.rcpt_tos.append(text)

    async def _judge(self, command: str, text: str) -> None:
        self.on_answer(await self._call(command, text, []))

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
            status = await hook(self._connection, self._session, self._envelope, *arguments)
            reply = read_reply(str(status).encode().splitlines())
        except ProtocolError:
            self._connection.report(
                ServerError(f"handle_{command} returned {status!r}, which is no SMTP reply such as '250 OK'.")
            )
            return Verdict(VerdictAction.DEFER, Reason.LOCAL_ERROR)
        except Exception as error:
            self._connection.report(error)
            return Verdict(VerdictAction.DEFER, Reason.LOCAL_ERROR)
        return _verdict(reply)


def _verdict(reply: Reply) -> Verdict:
    if reply.is_positive:
        return ACCEPTED
    action = VerdictAction.DEFER if reply.is_transient else VerdictAction.REFUSE
    return Verdict(action, Reason.HANDLER, reply=reply)
