"""The grammar of SMTP command arguments: paths, parameters, xtext.

It is strict: what RFC 5321 does not allow is refused, with a sentence that says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from fakemail.errors import ProtocolError
from fakemail.types.address import NULL_PATH, Address, Path, is_domain_name

# RFC 6531 §3.3: UTF8-non-ascii. Surrogates are no characters; they stand for bytes that are not UTF-8.
_UTF8 = r"\u0080-\ud7ff\ue000-\U0010ffff"
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"


# RFC 5321 §4.1.2:
#   Path       = "<" [ A-d-l ":" ] Mailbox ">"
#   A-d-l      = At-domain *( "," At-domain )
#   Mailbox    = Local-part "@" ( Domain / address-literal )
#   Local-part = Dot-string / Quoted-string
#   Quoted-string = DQUOTE *QcontentSMTP DQUOTE
#   quoted-pairSMTP = %d92 %d32-126 ; qtextSMTP = %d32-33 / %d35-91 / %d93-126
def _mailbox_pattern(utf8: str) -> str:
    return (
        rf"(?:(?P<dotted>[{_ATEXT}{utf8}]+(?:\.[{_ATEXT}{utf8}]+)*)"
        rf'|"(?P<quoted>(?:[ !#-\[\]-~{utf8}]|\\[ -~])*)")'
        rf"(?:@(?P<domain>[A-Za-z0-9.\-{utf8}]+|\[[A-Za-z0-9.:\-]+\]))?"
    )


class _Patterns:
    """The patterns for texts in ASCII, or for all.

    Sets with characters beyond ASCII take ten times as long to compile, and most tests need none.
    """

    def __init__(self, utf8: str) -> None:
        mailbox = _mailbox_pattern(utf8)
        self.path = re.compile(rf"<(?:@[^,:<> ]+(?:,@[^,:<> ]+)*:)?{mailbox}>")
        # Not in the grammar, and yet taken by nearly every server unless it is told not to.
        self.bare_path = re.compile(rf"{mailbox}(?= |$)")
        # RFC 5321 §4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value]
        #   esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
        #   esmtp-value   = 1*(%d33-60 / %d62-126) ; UTF-8 as well with RFC 6531 §3.3
        self.parameter = re.compile(rf"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~{utf8}]+))?")


@cache
def _patterns(is_ascii: bool) -> _Patterns:
    return _Patterns("" if is_ascii else _UTF8)


# RFC 3461 §4: hexchar = "+" 2(%x30-39 / %x41-46)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")

_GREETING_NAME = re.compile(r"[^\x00- \x7f]{1,255}")

MAX_LOCAL_PART = 64  # bytes, RFC 5321 §4.5.3.1.1
MAX_PATH = 256  # bytes with the brackets, RFC 5321 §4.5.3.1.3


class PathArgument(NamedTuple):
    """The argument of MAIL or RCPT: the path, and the parameters in the order in which they came."""

    path: Path
    parameters: Mapping[str, str | None]


@lru_cache(maxsize=1024)
def read_path_argument(argument: str, prefix: str, *, strict: bool = False) -> PathArgument:
    """Read ``FROM:<path> [parameters]`` or ``TO:<path> [parameters]``.

    ``prefix`` is ``FROM:`` or ``TO:``. Keywords come back in upper case, values as they are. Unless it is ``strict``,
    it takes what the grammar does not have and most servers take: spaces before the path, a path without its brackets,
    a domain with a final dot.
    Raises :class:`~fakemail.errors.ProtocolError` with a sentence for the client. What was read is kept, because a
    test says the same few again and again.
    """
    if argument[: len(prefix)].upper() != prefix:
        raise ProtocolError(f"write {prefix}<address>")
    rest = argument[len(prefix) :]
    if strict and rest.startswith(" "):
        raise ProtocolError(f"no space is allowed after {prefix}")  # RFC 5321 §3.3
    rest = rest.lstrip(" ")
    if strict and not rest.startswith("<"):
        raise ProtocolError(f"the address must stand in angle brackets: {prefix}<address>")
    path, end = _read_path(rest, strict)
    tail = rest[end:]
    if not tail:
        return PathArgument(path, {})
    if not tail.startswith(" "):
        raise ProtocolError("a space must stand between the address and its parameters")
    return PathArgument(path, _read_parameters(tail))


def _read_path(text: str, strict: bool) -> tuple[Path, int]:
    """The path at the start of a text, and where it ends."""
    if text.startswith("<>"):
        return NULL_PATH, 2
    patterns = _patterns(text.isascii())
    match = patterns.path.match(text) if text.startswith("<") else patterns.bare_path.match(text)
    if match is None:
        raise ProtocolError("the address is malformed")
    return _mailbox(match, match.end(), strict), match.end()


def _mailbox(match: re.Match[str], length: int, strict: bool) -> Address:
    dotted, quoted, domain = match.group("dotted", "quoted", "domain")
    local = dotted if dotted is not None else re.sub(r"\\(.)", r"\1", quoted)
    if domain is None:
        # RFC 5321 §4.1.1.3: "<postmaster>" without a domain is valid, in any case of letters.
        if dotted is None or local.casefold() != "postmaster":
            raise ProtocolError("the address has no domain")
        return Address(local, "")
    if length > MAX_PATH and len(match[0].encode()) > MAX_PATH:
        raise ProtocolError(f"a path has {MAX_PATH} octets at most")
    if len(local) > MAX_LOCAL_PART // 4 and len(local.encode()) > MAX_LOCAL_PART:
        raise ProtocolError(f"a local part has {MAX_LOCAL_PART} octets at most")
    if domain[0] == "[":
        if not is_address_literal(domain):
            raise ProtocolError("the address literal is malformed")
    elif not is_domain_name(domain if strict else domain.removesuffix(".")):
        raise ProtocolError("the domain is malformed")
    return Address(local, domain)


def is_address_literal(text: str) -> bool:
    """Whether a text is an address literal, brackets included (RFC 5321 §4.1.3)."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    inner = text[1:-1]
    try:
        if inner[:5].upper() == "IPV6:":
            IPv6Address(inner[5:])
        else:
            IPv4Address(inner)
    except ValueError:
        return False
    return True


def _read_parameters(text: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    pattern = _patterns(text.isascii()).parameter
    for word in text.split(" "):
        if not word:
            continue
        match = pattern.fullmatch(word)
        if match is None:
            raise ProtocolError(f"the parameter {word[:40]} is malformed")
        keyword = match[1].upper()
        if keyword in parameters:
            raise ProtocolError(f"the parameter {keyword[:40]} is given twice")
        parameters[keyword] = match[2]
    return parameters


def decode_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 §4). Raises :class:`~fakemail.errors.ProtocolError` if it is malformed."""
    if _XTEXT.fullmatch(text) is None:
        raise ProtocolError("the parameter's value is not xtext")
    if "+" not in text:
        return text
    octets = re.sub(rb"\+([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))
    return octets.decode("utf-8", "surrogateescape")


def encode_xtext(text: str) -> str:
    """Encode a text as xtext (RFC 3461 §4)."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}"
        for octet in text.encode("utf-8", "surrogateescape")
    )


def is_greeting_name(text: str) -> bool:
    """Whether a HELO or EHLO argument can be taken: one word of visible characters.

    RFC 5321 §4.1.1.1 wants a domain or an address literal, but §4.1.4 forbids refusing a message
    only because the name is wrong, and real clients send underscores and bare host names.
    """
    return _GREETING_NAME.fullmatch(text) is not None
