"""TLS between bytes and bytes: ciphertext in, plaintext out, and the reason when a handshake fails.

No sockets: whoever owns one writes ``take_outgoing()`` after every call, also after a failure, since
that is where the alert is. Contexts are made elsewhere.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import field, replace
from functools import cached_property
from typing import Literal

from fakemail.tls.alerts import reason_of, received_alert, sent_alert
from fakemail.tls.contexts import ServerContext
from fakemail.tls.hello import HelloReader
from fakemail.tls.leaf import tls_server_end_point
from fakemail.types.channel import CLEAR_TEXT, NOTHING_SENT
from fakemail.types.dataclass import dataclass

_DER = 2  # ENCODING_DER of the _ssl module

Role = Literal["client", "server"]

_HANDSHAKE = 0x16  # RFC 8446 §5.1: the type of the record with which TLS begins
_RECORD = 16384  # RFC 8446 §5.1: a record holds at most 2^14 bytes of plaintext, and a read returns one.


@dataclass(frozen=True)
class HandshakeFailure:
    """Why there is no TLS: which end refused, and with which alert."""

    refused_by: Role
    alert: str
    """The alert in the words of RFC 8446 §6, such as ``unknown_ca``; empty when none was sent."""
    detail: str = ""
    """Error text of OpenSSL."""
    after_handshake: bool = False
    """Whether this end had finished its handshake: in TLS 1.3 a refusal may come as late as that."""

    def __str__(self) -> str:
        with_alert = f" with the alert {self.alert}" if self.alert else " without an alert"
        return f"refused by the {self.refused_by}{with_alert}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class PeerCertificate:
    """The certificate that the other end presented, and whether it was verified."""

    der: bytes = field(repr=False)
    verified: bool

    @cached_property
    def subject(self) -> str:
        """The distinguished name (RFC 4514)."""
        from fakemail.tls.x509_imports import x509

        return x509.load_der_x509_certificate(self.der).subject.rfc4514_string()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Mail addresses, then host names, then the common names: the order in which to look for its owner."""
        from fakemail.tls.x509_imports import x509

        certificate = x509.load_der_x509_certificate(self.der)
        common = [
            str(name.value) for name in certificate.subject.get_attributes_for_oid(x509.OID_COMMON_NAME)
        ]
        hosts: list[str] = []
        try:
            other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            hosts = other.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            pass
        return tuple(dict.fromkeys([*self.emails, *hosts, *common]))

    @cached_property
    def emails(self) -> tuple[str, ...]:
        """The mail addresses among its alternative names (RFC 5280 §4.2.1.6)."""
        from fakemail.tls.x509_imports import x509

        extensions = x509.load_der_x509_certificate(self.der).extensions
        try:
            other = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return tuple(other.get_values_for_type(x509.RFC822Name))


@dataclass(frozen=True)
class TlsFacts:
    """Parameters agreed in a handshake."""

    version: str
    """Such as ``TLSv1.3``."""
    cipher: str
    bits: int
    server_name: str | None
    """The name that the client asked for (SNI), None if it asked for none."""
    peer: PeerCertificate | None


class _TlsLayer:
    """One end of one connection. Never raises for what the other end does: look at ``failed``."""

    _role: Role
    _peer: Role

    _object: ssl.SSLObject

    def __init__(self) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ready = b""
        self._waiting = bytearray()
        self._closing = False
        self.handshake_done = False
        self.failed: HandshakeFailure | None = None
        self.closed_by_peer = False
        """No more plaintext will come: the peer sent close_notify, or its connection ended."""
        self.truncated = False
        """The connection ended without close_notify, so that something may be missing (RFC 8446 §6.1)."""

    def _begin(self, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        self._object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=self._role == "server",
            server_hostname=server_hostname,
        )

    def receive(self, ciphertext: bytes) -> bytes:
        """Take what came from the other end; return the plaintext that it completed, perhaps none."""
        if self.failed is not None or self.closed_by_peer:
            return b""
        self._incoming.write(ciphertext)
        if not self.handshake_done and not self._shake_hands():
            return b""
        return self._read()

    def receive_eof(self) -> None:
        """The connection ended. In mid-handshake that is the peer's refusal, without an alert."""
        if self.failed is not None or self.closed_by_peer:
            return
        if not self.handshake_done:
            self.failed = HandshakeFailure(self._peer, "", "connection closed during the handshake")
            return
        self.closed_by_peer = self.truncated = True

    def send(self, plaintext: bytes) -> None:
        """Encrypt. Before the end of the handshake it waits; after a failure or our own close it is dropped."""
        if self.failed is not None or self._closing or not plaintext:
            return
        if not self.handshake_done:
            self._waiting += plaintext
            return
        try:
            self._object.write(plaintext)
        except ssl.SSLError as error:
            self._fail(error)

    def take_outgoing(self) -> bytes:
        """Data to be written to the connection now. After a failure this holds the alert."""
        ready, self._ready = self._ready, b""
        return ready + self._outgoing.read()

    def close_notify(self) -> None:
        """Say that no more will be sent (RFC 8446 §6.1). What the peer still sends can be received."""
        if self.failed is not None or self._closing or not self.handshake_done:
            return
        self._closing = True
        try:
            self._object.unwrap()
        except ssl.SSLError:
            # The close_notify has been written; the peer's own has not come, or data came before it.
            return
        self.closed_by_peer = True

    @cached_property
    def facts(self) -> TlsFacts:
        """Agreed parameters. Raises ``RuntimeError`` before the end of the handshake."""
        cipher = self._object.cipher() if self.handshake_done else None
        if cipher is None:
            raise RuntimeError("there are no TLS facts before the handshake is done; look at handshake_done")
        der = self._object.getpeercert(binary_form=True)
        return TlsFacts(
            version=self._object.version() or "",
            cipher=cipher[0],
            bits=cipher[2],
            server_name=self._server_name,
            peer=None
            if der is None
            else PeerCertificate(der, self._object.context.verify_mode != ssl.CERT_NONE),
        )

    @property
    def tls_server_end_point(self) -> bytes | None:
        """The channel binding of this connection (RFC 5929 §4.1), None when the certificate is not known."""
        raise NotImplementedError

    @property
    def _server_name(self) -> str | None:
        raise NotImplementedError

    def _shake_hands(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            self.failed = HandshakeFailure(self._peer, "close_notify", "closed during the handshake")
            return False
        except ssl.SSLError as error:
            self._fail(error)
            return False
        self.handshake_done = True
        if self._waiting:
            waiting, self._waiting = bytes(self._waiting), bytearray()
            self.send(waiting)
        return True

    def _read(self) -> bytes:
        chunks: list[bytes] = []
        # Without this test each call would end in an exception that costs more than the read.
        while self._incoming.pending or self._object.pending():
            try:
                chunk = self._object.read(_RECORD)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                chunk = b""
            except ssl.SSLError as error:
                # After our own close, what the peer does to the rest is nobody's business.
                if not self._closing:
                    self._fail(error)
                break
            if not chunk:
                self.closed_by_peer = True
                break
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _fail(self, error: ssl.SSLError) -> None:
        self._ready += self._outgoing.read()
        alert = received_alert(error)
        by = self._role if alert is None else self._peer
        if alert is None:
            alert = sent_alert(error, self._ready)
        detail = getattr(error, "verify_message", "") or reason_of(error) or str(error)
        self.failed = HandshakeFailure(by, alert, detail, after_handshake=self.handshake_done)
        self._waiting.clear()


class ServerLayer(_TlsLayer):
    """The server's end."""

    _role: Role = "server"
    _peer: Role = "client"

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._context = context
        self._hello: HelloReader | None = HelloReader()
        self._held = bytearray()
        self.has_begun = False
        """Whether anything was said to the client."""
        self.asked_for: str | None = None
        """The name that the client asked for (SNI), ``None`` before it did."""

    def receive(self, ciphertext: bytes) -> bytes:
        """Take what came from the client; return the plaintext that it completed, perhaps none."""
        if not self.has_begun:
            # What the client asks for decides which certificate it gets, so TLS begins when that is known.
            if not self.hear(ciphertext):
                return b""
            self.has_begun = True
            if isinstance(self._context, ServerContext):
                self._context = self._context.for_name(self.asked_for)
            self._begin(self._context)
            ciphertext, self._held = bytes(self._held), bytearray()
            plaintext = super().receive(ciphertext)
            if self.failed is not None and ciphertext and ciphertext[0] != _HANDSHAKE:
                self.failed = replace(self.failed, detail=CLEAR_TEXT)  # what OpenSSL calls a wrong version
            return plaintext
        return super().receive(ciphertext)

    def receive_eof(self) -> None:
        """The connection ended; a client that has said nothing has not refused anything either."""
        if self.failed is None and not self.has_begun and not self._held:
            self.failed = HandshakeFailure(self._peer, "", NOTHING_SENT)
            return
        super().receive_eof()

    def hear(self, ciphertext: bytes) -> bool:
        """Take what came, and tell whether the ClientHello is complete: then ``receive(b"")`` begins TLS."""
        self._held += ciphertext
        if self._hello is not None and self._hello.feed(ciphertext):
            self.asked_for, self._hello = self._hello.server_name, None
        return self._hello is None

    def use(self, context: ssl.SSLContext) -> None:
        """Take another context, before TLS begins."""
        self._context = context

    @property
    def tls_server_end_point(self) -> bytes | None:
        """The channel binding of this connection (RFC 5929 §4.1), None when the context is not ours."""
        context = self._context
        return context.leaf.tls_server_end_point if isinstance(context, ServerContext) else None

    @property
    def _server_name(self) -> str | None:
        return self.asked_for


class ClientLayer(_TlsLayer):
    """The client's end. The first flight is in ``take_outgoing()`` at once.

    ``server_hostname`` is what is asked for (SNI) and, if the context says so, checked.
    """

    _role: Role = "client"
    _peer: Role = "server"

    def __init__(self, context: ssl.SSLContext, *, server_hostname: str | None = None) -> None:
        super().__init__()
        self._asked_for = server_hostname
        self._begin(context, server_hostname)
        self._shake_hands()

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The certificates that the server sent, DER, its own first; not verified."""
        # Public from Python 3.13 on; before, only the object below has it.
        tls = self._object if hasattr(self._object, "get_unverified_chain") else self._object._sslobj  # type: ignore[attr-defined]
        sent = tls.get_unverified_chain() or ()
        return tuple([each if isinstance(each, bytes) else each.public_bytes(_DER) for each in sent])

    @property
    def tls_server_end_point(self) -> bytes | None:
        """The channel binding of this connection (RFC 5929 §4.1), None before the handshake is done."""
        peer = self.facts.peer if self.handshake_done else None
        return None if peer is None else tls_server_end_point(peer.der)

    @property
    def _server_name(self) -> str | None:
        # RFC 6066 §3: literal addresses are not permitted in SNI, and OpenSSL sends none.
        return None if self._asked_for is None or _is_address(self._asked_for) else self._asked_for


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
