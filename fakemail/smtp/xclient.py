"""XCLIENT: a client that may do so says for whom it speaks (Postfix, XCLIENT_README). Parsing only."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from fakemail.errors import ProtocolError
from fakemail.smtp.grammar import decode_xtext

ATTRIBUTES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
"""Attributes, in the order in which EHLO lists them."""

# XCLIENT_README: "[UNAVAILABLE]" and "[TEMPUNAVAIL]" stand for what is not known, for good or for now.
_UNKNOWN: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_ATTRIBUTE: Final = re.compile(r"([A-Z]+)=(\S*)", re.IGNORECASE)
_WORD: Final = re.compile(r"[!-~]{1,255}")


class Introduction(NamedTuple):
    """Attributes of an XCLIENT; ``None`` for those it does not have, empty for those that are not known."""

    name: str | None = None
    address: str | None = None
    port: int | None = None
    helo: str | None = None
    login: str | None = None


def read_xclient(argument: str) -> Introduction:
    """Read the attributes of the command; raises :class:`~fakemail.errors.ProtocolError`.

    Syntax: ``XCLIENT attribute=value [attribute=value...]``, values in xtext (RFC 3461 §4).
    """
    found: dict[str, str] = {}
    for word in argument.split(" "):
        match = _ATTRIBUTE.fullmatch(word)
        if match is None:
            raise ProtocolError("syntax: XCLIENT attribute=value ...")
        name = match[1].upper()
        if name not in ATTRIBUTES:
            raise ProtocolError(f"there is no attribute {name[:20]}; there are {' '.join(ATTRIBUTES)}")
        if name in found:
            raise ProtocolError(f"the attribute {name} stands there twice")
        found[name] = "" if match[2].upper() in _UNKNOWN else decode_xtext(match[2])
    protocol = found.get("PROTO")
    if protocol is not None and protocol.upper() not in ("SMTP", "ESMTP"):
        raise ProtocolError("PROTO is SMTP or ESMTP")
    # The server's own address and port have to be well-formed, and are of no use here.
    _address(found, "DESTADDR")
    _port(found, "DESTPORT")
    return Introduction(
        _word(found, "NAME"),
        _address(found, "ADDR"),
        _port(found, "PORT"),
        _word(found, "HELO"),
        _word(found, "LOGIN"),
    )


def _word(found: dict[str, str], name: str) -> str | None:
    value = found.get(name)
    if value and _WORD.fullmatch(value) is None:
        raise ProtocolError(f"the value of {name} is one word")
    return value


def _address(found: dict[str, str], name: str) -> str | None:
    """An IPv4 address, or an IPv6 address behind ``IPV6:``."""
    value = found.get(name)
    if not value:
        return value
    try:
        if value.upper().startswith("IPV6:"):
            return str(IPv6Address(value[5:]))
        return str(IPv4Address(value))
    except ValueError:
        raise ProtocolError(f"{name} is an IPv4 address, or IPV6: and an IPv6 address") from None


def _port(found: dict[str, str], name: str) -> int | None:
    value = found.get(name)
    if value is None or value == "":
        return None
    if not value.isascii() or not value.isdigit() or not len(value) <= 5 or int(value) > 0xFFFF:
        raise ProtocolError(f"{name} is a number from 0 to 65535")
    return int(value)
