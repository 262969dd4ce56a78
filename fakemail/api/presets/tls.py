"""Faults of TLS by plain names: handshakes that fail, certificates, versions and ciphers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakemail.api.presets.adding import FaultTarget
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import Garbage, PartialReply
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.tls import OnlyCiphers, OnlyVersions, PresentCertificate, SendAlert
from fakemail.faults.write_script import read_end
from fakemail.tls.contexts import NO_ENCRYPTION
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.faults import Fault


class TlsPresets(FaultTarget):
    """What can go wrong with TLS at a host, whatever the protocol and whether it is implicit or by STARTTLS.

    ``where_and_when`` is as in :meth:`~fakemail.api.faults.Faults.add`; ``argument`` is the name that the client asks
    for (SNI).
    """

    def certificate(self, flaw: str, **where_and_when: Any) -> Fault:
        """Present a certificate with one of the flaws of :data:`fakemail.tls.flaws.FLAWS`.

        ``host.certificate(flaw=...)`` does that for everybody and for good, and counts nothing.
        """
        return self._at_handshake(PresentCertificate(flaw), where_and_when)

    def expired_certificate(self, **where_and_when: Any) -> Fault:
        """The certificate was good until yesterday."""
        return self.certificate("expired", **where_and_when)

    def not_yet_valid_certificate(self, **where_and_when: Any) -> Fault:
        """The certificate will be good in two days."""
        return self.certificate("not_yet_valid", **where_and_when)

    def wrong_name_certificate(self, **where_and_when: Any) -> Fault:
        """The certificate is for another host."""
        return self.certificate("wrong_name", **where_and_when)

    def unknown_authority(self, **where_and_when: Any) -> Fault:
        """The certificate is from an authority that nobody knows."""
        return self.certificate("unknown_authority", **where_and_when)

    def self_signed_certificate(self, **where_and_when: Any) -> Fault:
        """Nobody vouches for the certificate but itself."""
        return self.certificate("self_signed", **where_and_when)

    def missing_intermediate(self, **where_and_when: Any) -> Fault:
        """The server does not send the certificate of the authority between."""
        return self.certificate("missing_intermediate", **where_and_when)

    def revoked_certificate(self, **where_and_when: Any) -> Fault:
        """The certificate was taken back; those see it who look at ``mailnet.crl_file``."""
        return self.certificate("revoked", **where_and_when)

    def weak_key(self, **where_and_when: Any) -> Fault:
        """The key of the certificate is RSA of 1024 bits."""
        return self.certificate("weak_key", **where_and_when)

    def only_tls(self, *versions: str, **where_and_when: Any) -> Fault:
        """Speak only these versions of TLS, neighbours: ``"TLSv1"``, ``"TLSv1.1"``, ``"TLSv1.2"``, ``"TLSv1.3"``."""
        return self._at_handshake(OnlyVersions(versions), where_and_when)

    def old_tls(self, **where_and_when: Any) -> Fault:
        """Speak TLS 1.0 and 1.1 only, which nobody should any more (RFC 8996)."""
        return self.only_tls("TLSv1", "TLSv1.1", **where_and_when)

    def weak_cipher(self, ciphers: str = NO_ENCRYPTION, **where_and_when: Any) -> Fault:
        """Know a weak cipher only, in TLS 1.2: one that does not encrypt, or those of a list as OpenSSL writes it."""
        return self._at_handshake(OnlyCiphers(ciphers), where_and_when)

    def tls_alert(self, alert: str = "handshake_failure", **where_and_when: Any) -> Fault:
        """Refuse the handshake with an alert, in the words of RFC 8446 §6."""
        return self._at_handshake(SendAlert(alert), where_and_when)

    def reset_handshake(self, **where_and_when: Any) -> Fault:
        """Reset the connection when the client has begun the handshake."""
        return self._at_handshake(Reset(), where_and_when)

    def close_handshake(self, **where_and_when: Any) -> Fault:
        """Close the connection when the client has begun the handshake."""
        return self._at_handshake(Drop(), where_and_when)

    def hang_handshake(self, **where_and_when: Any) -> Fault:
        """Say nothing when the client has begun the handshake."""
        return self._at_handshake(NoReply(), where_and_when)

    def half_handshake(self, then: str = "reset", **where_and_when: Any) -> Fault:
        """Send the half of the server's first flight, and reset the connection (or end it otherwise)."""
        return self._at_handshake(PartialReply(read_end(then)), where_and_when)

    def garbage_handshake(
        self, octets: bytes = b"\x16\x03\x03\x00\x04\x02\xff\xff\xff", **where_and_when: Any
    ) -> Fault:
        """Answer the client with nonsense: a ServerHello that is none, or what is given."""
        return self._at_handshake(Garbage(octets), where_and_when)

    def _at_handshake(self, action: FaultAction, where_and_when: dict[str, Any]) -> Fault:
        return self.add(Stage.TLS_HANDSHAKE, action, **where_and_when)
