"""Domain names: between text and labels, and up the tree. No records, no zones, no messages.

As text, a name is in the form of zone files (RFC 1035 §5.1) without the final dot: an odd byte is
written ``\\DDD``, a dot inside a label ``\\.``, and the root is the empty string. Names that serve as keys
are lower-case as well (RFC 4343 §3: only ASCII letters are folded).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from fakemail.errors import DeclarationError
from fakemail.types.domains import split_dots, to_a_label

Labels = tuple[bytes, ...]
"""A name as a sequence of labels, the root's empty label left out."""

# What nearly every name looks like; anything else takes the slow way.
_PLAIN = re.compile(r"[A-Za-z0-9_*-]{1,63}(?:\.[A-Za-z0-9_*-]{1,63})*")
_LONGEST = 253  # as text: RFC 1035 §2.3.4 counts a length byte and the root's as well
# RFC 1035 §5.1: \X for any X but a digit, \DDD for the byte of that decimal number.
_PIECE = re.compile(r"\\(\d{3})|\\(\D)|([^\\.]+)|(\.)|(\\)", re.DOTALL)
_ODD = re.compile(rb"[^!#%-\'*+,\-/0-9:<=>?A-Z\[\]^_`a-z{|}~]")


@lru_cache(maxsize=4096)
def read_name(text: str) -> str:
    """Read a name that a person wrote, final dot or not, its case kept; letters beyond ASCII become A-labels.

    Raises :class:`~fakemail.errors.DeclarationError` when it is none: an empty label, a label of more
    than 63 bytes, more than 255 bytes in all (RFC 1035 §2.3.4), or a bad escape.
    """
    name = text[:-1] if text.endswith(".") else text
    if len(name) <= _LONGEST and _PLAIN.fullmatch(name) is not None:
        return name
    return labels_to_text(_read_slowly(text))


def name_key(text: str) -> str:
    """As :func:`read_name`, and lower-case: the form under which records are kept."""
    return read_name(text).lower()


@lru_cache(maxsize=4096)
def text_to_labels(name: str) -> Labels:
    """The labels of a name. Raises what :func:`read_name` raises."""
    if len(name) <= _LONGEST and _PLAIN.fullmatch(name) is not None:
        return tuple(name.encode().split(b"."))
    return _read_slowly(name)


def labels_to_text(labels: Labels) -> str:
    """The text of a name, case kept."""
    name = b".".join(labels)
    # A dot inside a label would shift the count.
    if _ODD.search(name.replace(b".", b"")) is None and name.count(b".") == max(len(labels) - 1, 0):
        return name.decode()
    return ".".join(_label_to_text(label) for label in labels)


def parent_of(name: str) -> str:
    """The name without its first label; the root's is the root."""
    if "\\" not in name:
        return name.partition(".")[2]
    return labels_to_text(text_to_labels(name)[1:])


def ancestors(name: str) -> Iterator[str]:
    """The name itself, then each name above it, the root last."""
    while name:
        yield name
        name = parent_of(name)
    yield ""


def is_under(name: str, origin: str) -> bool:
    """Whether a name is an origin or lies below it. Both are keys."""
    return not origin or name == origin or (name.endswith("." + origin) and origin in ancestors(name))


@lru_cache(maxsize=4096)
def reverse_name(address: str) -> str:
    """The name at which an IP address has its PTR record (RFC 1035 §3.5, RFC 3596 §2.5).

    Raises :class:`~fakemail.errors.DeclarationError` when the text is no IP address.
    """
    try:
        return ipaddress.ip_address(address).reverse_pointer
    except ValueError:
        raise DeclarationError(f"{address!r} is not an IP address, so it has no reverse name.") from None


def _label_to_text(label: bytes) -> str:
    def escape(match: re.Match[bytes]) -> bytes:
        byte = match[0][0]
        # RFC 1035 §5.1: these mean something in zone files.
        return b"\\" + match[0] if chr(byte) in '."\\;()@$' else b"\\%03d" % byte

    return _ODD.sub(escape, label).decode()


def _read_slowly(text: str) -> Labels:
    """Read labels that hold escapes, odd bytes or letters beyond ASCII, and report what is wrong."""
    if text in {"", "."}:
        return ()
    labels: list[bytes] = []
    label = bytearray()
    text = text if text.isascii() else split_dots(text)
    for match in _PIECE.finditer(text):
        decimal, character, plain, dot, stray = match.groups()
        if stray or (decimal and int(decimal) > 255):
            raise DeclarationError(
                f"{text!r} is not a domain name: bad escape at character {match.start() + 1}."
            )
        if decimal:
            label.append(int(decimal))
        elif dot:
            labels.append(_checked(bytes(label), text))
            label.clear()
        else:
            label += (character or plain).encode("utf-8", "surrogateescape")
    if label or not text.endswith("."):
        labels.append(_checked(bytes(label), text))
    # RFC 1035 §2.3.4: 255 bytes, length bytes and the root's included.
    if sum(map(len, labels)) + len(labels) + 1 > 255:
        raise DeclarationError(f"{text[:40]!r}... is not a domain name: it has more than 255 octets.")
    return tuple(labels)


def _checked(label: bytes, whole: str) -> bytes:
    if not label:
        raise DeclarationError(f"{whole!r} is not a domain name: a label in it is empty.")
    if not whole.isascii() and not label.isascii():
        label = _to_a_label(label, whole)
    if len(label) > 63:
        raise DeclarationError(
            f"{whole!r} is not a domain name: a label has {len(label)} octets, 63 are allowed."
        )
    return label


def _to_a_label(label: bytes, whole: str) -> bytes:
    """RFC 5890 §2.3.2.1: DNS carries the A-label of an internationalised label."""
    try:
        return to_a_label(label.decode()).encode()
    except ValueError as error:
        raise DeclarationError(f"{whole!r} is not a domain name: {error}.") from None
