"""Mail addresses and SMTP paths.

The null reverse-path (``MAIL FROM:<>``, RFC 5321 §4.5.5) is a value of its own, :data:`NULL_PATH`;
it is never the empty string and never ``"<>"``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import field
from functools import cache, lru_cache
from typing import Final, Protocol, TypeAlias

from fakemail.errors import DeclarationError
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels, split_dots, u_labels

# RFC 6531 §3.3: UTF8-non-ascii; surrogates are no characters, they stand for undecodable bytes.
_UTF8 = r"\u0080-\ud7ff\ue000-\U0010ffff"
# RFC 5321 §4.1.2: Dot-string = Atom *("." Atom); atext from RFC 5322 §3.2.3, UTF-8 from RFC 6531 §3.3.
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
# RFC 5321 §4.1.2: Quoted-string = DQUOTE *QcontentSMTP DQUOTE; qtextSMTP is printable ASCII without
# '"' and '\', quoted-pairSMTP is '\' and printable ASCII; UTF-8 from RFC 6531 §3.3.
_QUOTED = r'"((?:[ !#-\[\]-~{}]|\\[ -~])*)"'
# RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str]; a U-label (RFC 6531 §3.3) is what its A-label is. The underscore
# is not a host name character, but DNS owner names use it, so that check is the caller's.
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{,61}[A-Za-z0-9])?")


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
    ``domain`` is in its canonical form, A-labels in lower case without a final dot, however it was written; or an
    address literal such as ``[192.0.2.1]``.
    """

    local: str
    domain: str
    key: str = field(init=False, repr=False, compare=False)
    """The form under which fake servers look it up: they ignore the case of local parts, as most do."""
    is_ascii: bool = field(init=False, repr=False, compare=False)
    """Whether the address can be sent without SMTPUTF8 (RFC 6531 §3.2)."""

    def __post_init__(self) -> None:
        # Made here and not when they are asked for, because that happens several times for each message.
        object.__setattr__(self, "domain", a_labels(self.domain))
        object.__setattr__(self, "key", f"{local_key(self.local)}@{self.domain}")
        object.__setattr__(self, "is_ascii", self.local.isascii() and self.domain.isascii())

    def __str__(self) -> str:
        return f"{quote_local(self.local)}@{self.domain}"

    @property
    def shown(self) -> str:
        """The address as people read it, with U-labels (RFC 5890 §2.3.2.1); ``str()`` is what programs are given."""
        return u_labels(str(self))


def local_key(local: str) -> str:
    """The form in which local parts are compared: in no case, composed (RFC 6532 §3.1)."""
    folded = local.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def canonical(text: str) -> str:
    """An address that a program wrote, a domain, or a domain behind ``@``, with the domain in canonical form."""
    local, at, domain = text.rpartition("@")
    return f"{unicodedata.normalize('NFC', local)}{at}{a_labels(domain)}"


def address_key(text: str) -> str:
    """The key of an address that a program wrote, a login for one (see :attr:`Address.key`); of a domain the domain."""
    local, at, domain = text.rpartition("@")
    return f"{local_key(local)}{at}{a_labels(domain)}"


Path = Address | NullPath


@cache
def _dot_string(is_ascii: bool) -> re.Pattern[str]:
    """The pattern of a Dot-string; one for ASCII alone, since sets with more take long to compile."""
    atom = f"[{_ATEXT}{'' if is_ascii else _UTF8}]+"
    return re.compile(rf"{atom}(?:\.{atom})*")


@cache
def _quoted(is_ascii: bool) -> re.Pattern[str]:
    """The pattern of a Quoted-string."""
    return re.compile(_QUOTED.replace("{}", "" if is_ascii else _UTF8))


@lru_cache(maxsize=1024)
def quote_local(local: str) -> str:
    """Return a local part as it is written on the wire, quoted where RFC 5321 §4.1.2 demands it."""
    if _dot_string(local.isascii()).fullmatch(local):
        return local
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_domain_name(name: str) -> bool:
    """Whether a name is a syntactically valid mail domain (RFC 5321 §4.1.2, §4.5.3.1.2), without a final dot.

    Labels beyond ASCII must have A-labels (RFC 5891 §4).
    """
    if not name.isascii():
        name = a_labels(name) if split_dots(name)[-1] != "." else ""
    return 0 < len(name) <= 255 and all(_LABEL.fullmatch(label) is not None for label in name.split("."))


def address(text: str) -> Address:
    """Read an address that a person wrote in a test or a configuration.

    Raises :class:`~fakemail.errors.DeclarationError` when the text is no address. Addresses on the
    wire are read by :mod:`fakemail.smtp.grammar`, which follows RFC 5321 to the letter.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise DeclarationError(f"{text!r} is not an address: there is no '@' in it.")
    if quoted := _quoted(local.isascii()).fullmatch(local):
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not _dot_string(local.isascii()).fullmatch(local):
        raise DeclarationError(f"{text!r} is not an address: the part before '@' is {local!r}.")
    if not is_domain_name(a_labels(domain)):
        raise DeclarationError(f"{text!r} is not an address: {domain!r} is not a domain name.")
    return Address(local, domain)


class HasName(Protocol):
    """Anything that is named in the fake internet, such as a host."""

    @property
    def name(self) -> str:
        """The name in DNS."""
        ...


class HasAddress(Protocol):
    """Anything that has a mail address, such as an account."""

    @property
    def address(self) -> object:
        """The address; its ``str()`` is ``local@domain``."""
        ...


AddressLike: TypeAlias = str | Address | HasAddress


def read_address(who: AddressLike) -> Address:
    """The address of an account, or of what names one. Raises :class:`~fakemail.errors.DeclarationError` otherwise."""
    if isinstance(who, str):
        return address(who)
    if isinstance(who, list | tuple | set | frozenset):
        raise DeclarationError(f"pass addresses one by one, as in accounts(*names), and not as {who!r}.")
    if isinstance(who, Address):
        return who
    if not isinstance(named := getattr(who, "address", None), str):
        raise DeclarationError(f"{who!r} is not an address: it is a text such as 'bob@example.org'.")
    return address(named)


def path_key(path: Path | str) -> str:
    """The form in which paths are compared (see :attr:`Address.key`); ``<>`` for the null path.

    Raises :class:`~fakemail.errors.DeclarationError` for a text that is neither.
    """
    if isinstance(path, str) and path != "<>":
        path = address(path)
    return path.key if isinstance(path, Address) else "<>"
