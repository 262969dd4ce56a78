"""TLS alerts by the words of RFC 8446 §6, and how to find them in what OpenSSL says. Tables only."""

from __future__ import annotations

import re
import ssl

# RFC 8446 §6 and, for the names that TLS 1.3 dropped, RFC 5246 §7.2.
ALERTS: dict[int, str] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
_NUMBERS = {name: number for number, name in ALERTS.items()}
_NAMES = frozenset(ALERTS.values())

# OpenSSL names an alert that came from the peer SSLV3_ALERT_x, TLSV1_ALERT_x, TLSV13_ALERT_x or TLSV1_x.
_RECEIVED = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)")
# Of some reasons Python has no name: "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)".
_TEXT = re.compile(r"\[SSL[^\]]*\] ([\w ]+) \(")
_SPELLINGS = {"user_cancelled": "user_canceled"}

# What OpenSSL sends for its own reasons, for the cases in which the alert leaves encrypted.
_SENT = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "certificate_required",
    "NO_SHARED_CIPHER": "handshake_failure",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "handshake_failure",
    "UNSUPPORTED_PROTOCOL": "protocol_version",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "bad_record_mac",
    # All that OpenSSL 3.6 says of a record that cannot be decrypted.
    "RECORD_LAYER_FAILURE": "bad_record_mac",
    "BAD_SIGNATURE": "decrypt_error",
    "DIGEST_CHECK_FAILED": "decrypt_error",
    "UNEXPECTED_MESSAGE": "unexpected_message",
    "UNEXPECTED_RECORD": "unexpected_message",
    "BAD_RECORD_TYPE": "unexpected_message",
    "ENCRYPTED_LENGTH_TOO_LONG": "record_overflow",
    "DATA_LENGTH_TOO_LONG": "record_overflow",
}
# Which alert goes with which X509_V_ERR_ code; any other is certificate_unknown.
_VERIFY = {
    **dict.fromkeys((2, 3, 18, 19, 20, 21, 22, 24, 25), "unknown_ca"),
    **dict.fromkeys((9, 11, 13, 14, 15, 16, 27, 28, 62, 63, 64, 65, 66, 67, 68), "bad_certificate"),
    **dict.fromkeys((10, 12), "certificate_expired"),
    **dict.fromkeys((7, 8), "decrypt_error"),
    23: "certificate_revoked",
    26: "unsupported_certificate",
    50: "handshake_failure",
}


def alert_record(alert: str) -> bytes:
    """The record of a fatal alert in clear text (RFC 8446 §5.1, §6). Raises ``KeyError`` for one that there is not."""
    number = _NUMBERS[alert]
    return bytes((21, 3, 3, 0, 2, 2, number))


def reason_of(error: ssl.SSLError) -> str:
    """The name of the reason, such as ``NO_SHARED_CIPHER``; empty when the error tells none."""
    if error.reason:
        return error.reason
    match = _TEXT.match(str(error))
    return match[1].upper().replace(" ", "_") if match else ""


def received_alert(error: ssl.SSLError) -> str | None:
    """The alert that the peer sent, if that is what the error reports."""
    match = _RECEIVED.fullmatch(reason_of(error))
    if match is None:
        return None
    name = match[1].lower()
    name = _SPELLINGS.get(name, name)
    return name if name in _NAMES else None


def sent_alert(error: ssl.SSLError, outgoing: bytes) -> str:
    """The alert that answers an error of our own: read from what is to be sent, or known by its reason."""
    # RFC 8446 §5.1, §6: a record of type 21 with two bytes, the level and the description.
    tail = outgoing[-7:]
    if len(tail) == 7 and tail[:2] == b"\x15\x03" and tail[3:5] == b"\x00\x02" and tail[5] in (1, 2):
        return ALERTS.get(tail[6], "")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, "certificate_unknown")
    # Nothing was sent: OpenSSL says nothing to a peer that does not speak TLS at all.
    return _SENT.get(reason_of(error), "") if outgoing else ""
