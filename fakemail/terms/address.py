"""Mail addresses and SMTP paths.

The null reverse-path (``MAIL FROM:<>``, RFC 5321 §4.5.5) is a value of its own, :data:`NULL_PATH`;
it is never the empty string and never ``"<>"``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fakemail.errors import DeclarationError

# RFC 6531 §3.3: UTF8-non-ascii; surrogates are no characters, they stand for undecodable octets.
_UTF8 = r"\u0080-\ud7ff\ue000-\U0010ffff"
# RFC 5321 §4.1.2: Dot-string = Atom *("." Atom); atext from RFC 5322 §3.2.3, UTF-8 from RFC 6531 §3.3.
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{_UTF8}]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# RFC 5321 §4.1.2: Quoted-string = DQUOTE *QcontentSMTP DQUOTE; qtextSMTP is printable ASCII without
# '"' and '\', quoted-pairSMTP is '\' and printable ASCII; UTF-8 from RFC 6531 §3.3.
_QUOTED = re.compile(rf'"((?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*)"')
# RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str]; U-label from RFC 6531 §3.3. The underscore is not a
# host name character, but DNS owner names use it, so that check is the caller's.
_LET_DIG = rf"[A-Za-z0-9{_UTF8}]"
_LABEL = re.compile(rf"{_LET_DIG}(?:[A-Za-z0-9\-{_UTF8}]*{_LET_DIG})?")


@dataclass(frozen=True, slots=True)
class NullPath:
    """The null reverse-path of bounces and other notices that must not be answered (RFC 5321 §4.5.5)."""

    def __str__(self) -> str:
        return "<>"

    def __repr__(self) -> str:
        return "NULL_PATH"


NULL_PATH: Final = NullPath()


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address, ``local@domain``.

    ``local`` is the meaning of the local part (without quotes), its case kept (RFC 5321 §2.4);
    ``domain`` is lower-case, or an address literal such as ``[192.0.2.1]``.
    """

    local: str
    domain: str
    key: str = field(init=False, repr=False, compare=False)
    """The form under which fake servers look it up: they ignore the case of local parts, as most do."""
    is_ascii: bool = field(init=False, repr=False, compare=False)
    """Whether the address can be sent without SMTPUTF8 (RFC 6531 §3.2)."""

    def __post_init__(self) -> None:
        # Made here and not when they are asked for, because that happens several times for each message.
        object.__setattr__(self, "key", f"{self.local.casefold()}@{self.domain}")
        object.__setattr__(self, "is_ascii", self.local.isascii() and self.domain.isascii())

    def __str__(self) -> str:
        return f"{quote_local(self.local)}@{self.domain}"


Path = Address | NullPath


@lru_cache(maxsize=1024)
def quote_local(local: str) -> str:
    """Return a local part as it is written on the wire, quoted where RFC 5321 §4.1.2 demands it."""
    if _DOT_STRING.fullmatch(local):
        return local
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_domain_name(name: str) -> bool:
    """Whether a name is a syntactically valid mail domain (RFC 5321 §4.1.2, §4.5.3.1.2)."""
    return 0 < len(name) <= 255 and all(
        _LABEL.fullmatch(label) is not None and len(label.encode()) <= 63 for label in name.split(".")
    )


def address(text: str) -> Address:
    """Read an address that a person wrote in a test or a configuration.

    Raises :class:`~fakemail.errors.DeclarationError` when the text is no address. Addresses on the
    wire are read by :mod:`fakemail.smtp.grammar`, which follows RFC 5321 to the letter.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise DeclarationError(f"{text!r} is not an address: there is no '@' in it.")
    if quoted := _QUOTED.fullmatch(local):
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not _DOT_STRING.fullmatch(local):
        raise DeclarationError(f"{text!r} is not an address: the part before '@' is {local!r}.")
    if not is_domain_name(domain):
        raise DeclarationError(f"{text!r} is not an address: {domain!r} is not a domain name.")
    return Address(local, domain.lower())
