"""The GS2 header that SCRAM and OAUTHBEARER share (RFC 5801 §4, RFC 5802 §7)."""

from __future__ import annotations

import re

from fakemail.errors import ProtocolError
from fakemail.types.dataclass import dataclass

# RFC 5802 §7: gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
#              gs2-header = gs2-cbind-flag "," [ authzid ] ","
#              authzid = "a=" saslname
_HEADER = re.compile(r"(p=[A-Za-z0-9.-]+|n|y),(?:a=([^,]+))?,")
# RFC 5802 §7: saslname = 1*(value-safe-char / "=2C" / "=3D"); neither NUL nor any other "=".
_BAD_ESCAPE = re.compile(r"\0|=(?!2C|3D)")


@dataclass(frozen=True)
class Gs2Header:
    """The header as it was sent (it is part of what a channel binding proves) and what it means."""

    raw: str
    flag: str
    authorization_id: str


def read_gs2_header(message: str) -> tuple[Gs2Header, str]:
    """Split a client's first message into its GS2 header and the rest."""
    match = _HEADER.match(message)
    if match is None:
        raise ProtocolError("the message starts with no GS2 header")
    name = "" if match[2] is None else decode_saslname(match[2])
    return Gs2Header(match[0], match[1], name), message[match.end() :]


def encode_saslname(name: str) -> str:
    """Write a name so that it may stand in a comma-separated message (RFC 5802 §5.1)."""
    return name.replace("=", "=3D").replace(",", "=2C")


def decode_saslname(text: str) -> str:
    """Read a name back; any other ``=`` than those two escapes is an error (RFC 5802 §5.1)."""
    if not text or _BAD_ESCAPE.search(text):
        raise ProtocolError("a name has '=' only in =2C and =3D")
    return text.replace("=2C", ",").replace("=3D", "=")
