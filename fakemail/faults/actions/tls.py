"""What can happen to a TLS handshake. :mod:`fakemail.tls.spoiling` does it, or a context of the server."""

from __future__ import annotations

from dataclasses import dataclass

from fakemail.faults.actions.action import FaultAction


@dataclass(frozen=True, slots=True)
class SendAlert(FaultAction):
    """Refuse the handshake with an alert, in the words of RFC 8446 §6: ``handshake_failure``, ``internal_error``..."""

    alert: str


class TlsContextFault(FaultAction):
    """The server speaks TLS, but otherwise than usual."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PresentCertificate(TlsContextFault):
    """Present a certificate with a flaw: ``expired``, ``wrong_name``, ``revoked``..."""

    flaw: str


@dataclass(frozen=True, slots=True)
class OnlyVersions(TlsContextFault):
    """Speak these versions of TLS and none beside them: ``TLSv1``, ``TLSv1.1``, ``TLSv1.2``, ``TLSv1.3``."""

    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnlyCiphers(TlsContextFault):
    """Know these ciphers only, by the names of OpenSSL, in TLS 1.2."""

    ciphers: str
