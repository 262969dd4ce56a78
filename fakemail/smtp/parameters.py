"""The parameters of MAIL and RCPT: a table of keywords, each with its extension and its grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fakemail.errors import ProtocolError
from fakemail.message.envelope import BodyType
from fakemail.smtp.grammar import decode_xtext, read_path_argument
from fakemail.types.address import NULL_PATH, Path
from fakemail.types.dataclass import dataclass


class NotOffered(ProtocolError):
    """A parameter whose extension this server does not offer (RFC 5321 §4.1.1.11: 555)."""


@dataclass(slots=True)
class MailOptions:
    """The parameters of MAIL, read."""

    size: int | None = None
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
    auth: Path | None = None
    requiretls: bool = False


@dataclass(slots=True)
class RcptOptions:
    """The parameters of RCPT, read."""

    notify: tuple[str, ...] = ()
    original: str | None = None


class _ParameterRow(NamedTuple):
    extensions: tuple[str, ...]
    """The extensions, any one of which brings it."""
    field: str
    read: Callable[[str | None], object]


def _value(text: str | None) -> str:
    if text is None:
        raise ProtocolError("it needs a value")
    return text


def _size(text: str | None) -> int:
    # RFC 1870 §4: size-value ::= 1*20DIGIT
    if re.fullmatch(r"[0-9]{1,20}", _value(text)) is None:
        raise ProtocolError("its value is a number of octets")
    return int(_value(text))


def _body(text: str | None) -> BodyType:
    try:
        return BodyType(_value(text).upper())
    except ValueError:
        raise ProtocolError("its value is 7BIT, 8BITMIME or BINARYMIME") from None


def _flag(text: str | None) -> bool:
    if text is not None:
        raise ProtocolError("it takes no value")
    return True


def _ret(text: str | None) -> str:
    if _value(text).upper() not in ("FULL", "HDRS"):
        raise ProtocolError("its value is FULL or HDRS")
    return _value(text).upper()


def _envid(text: str | None) -> str:
    if len(_value(text)) > 100:  # RFC 3461 §4.4
        raise ProtocolError("its value has 100 octets at most")
    return decode_xtext(_value(text))


def _auth(text: str | None) -> Path:
    decoded = decode_xtext(_value(text))
    if decoded == "<>":
        return NULL_PATH
    # RFC 4954 §5: AUTH=mailbox is written without brackets.
    path, junk = read_path_argument(
        f"FROM:<{decoded.removeprefix('<').removesuffix('>')}>", "FROM:", strict=True
    )
    if junk:
        raise ProtocolError("its value is an address or <>, as xtext")
    return path


def _notify(text: str | None) -> tuple[str, ...]:
    # RFC 3461 §4.1: notify-esmtp-value = "NEVER" / 1#notify-list-element
    words = tuple(_value(text).upper().split(","))
    if words == ("NEVER",):
        return words
    if not set(words) <= {"SUCCESS", "FAILURE", "DELAY"} or len(set(words)) != len(words):
        raise ProtocolError("its value is NEVER, or some of SUCCESS, FAILURE and DELAY")
    return words


def _orcpt(text: str | None) -> str:
    # RFC 3461 §4.2: original-recipient-address = addr-type ";" xtext; 500 bytes at most
    kind, semicolon, address = _value(text).partition(";")
    if not semicolon or not kind or not address or len(_value(text)) > 500:
        raise ProtocolError("its value is type;address, such as rfc822;bob@example.org")
    # RFC 6533 §3 adds the type utf-8, whose address may hold UTF-8 as it is.
    return f"{kind};{address if not address.isascii() else decode_xtext(address)}"


_MAIL: Final = {
    "SIZE": _ParameterRow(("SIZE",), "size", _size),
    "BODY": _ParameterRow(("8BITMIME", "BINARYMIME"), "body", _body),
    "SMTPUTF8": _ParameterRow(("SMTPUTF8",), "smtputf8", _flag),
    "RET": _ParameterRow(("DSN",), "ret", _ret),
    "ENVID": _ParameterRow(("DSN",), "envid", _envid),
    "AUTH": _ParameterRow(("AUTH",), "auth", _auth),
    "REQUIRETLS": _ParameterRow(("REQUIRETLS",), "requiretls", _flag),
}
_RCPT: Final = {
    "NOTIFY": _ParameterRow(("DSN",), "notify", _notify),
    "ORCPT": _ParameterRow(("DSN",), "original", _orcpt),
}


def read_mail_options(parameters: Mapping[str, str | None], offers: Callable[[str], bool]) -> MailOptions:
    """Read the parameters of MAIL; ``offers`` tells whether an extension is there.

    Raises :class:`NotOffered` for an unknown parameter, ``ProtocolError`` for a malformed one.
    """
    options = MailOptions()
    _read(parameters, _MAIL, options, offers)
    needed = {BodyType.EIGHT_BIT: "8BITMIME", BodyType.BINARY: "BINARYMIME"}.get(options.body)
    if needed is not None and not offers(needed):
        raise NotOffered(f"BODY={options.body.value} is not offered here")
    return options


def read_rcpt_options(parameters: Mapping[str, str | None], offers: Callable[[str], bool]) -> RcptOptions:
    """Read the parameters of RCPT, like :func:`read_mail_options`."""
    options = RcptOptions()
    _read(parameters, _RCPT, options, offers)
    return options


def _read(
    parameters: Mapping[str, str | None],
    table: Mapping[str, _ParameterRow],
    options: MailOptions | RcptOptions,
    offers: Callable[[str], bool],
) -> None:
    for keyword, value in parameters.items():
        row = table.get(keyword)
        if row is None or not any(map(offers, row.extensions)):
            raise NotOffered(f"the parameter {keyword[:40]} is not offered here")
        try:
            setattr(options, row.field, row.read(value))
        except ProtocolError as error:
            raise ProtocolError(f"the parameter {keyword} is malformed: {error}") from None


def extensions_of(keyword: str, value: str | None) -> tuple[str, ...]:
    """Extensions any one of which brings a parameter of MAIL or RCPT; none for an unknown parameter."""
    if keyword == "BODY" and value is not None:
        return ("BINARYMIME",) if value.upper() == BodyType.BINARY.value else ("8BITMIME", "BINARYMIME")
    row = _MAIL.get(keyword) or _RCPT.get(keyword)
    return () if row is None else row.extensions
