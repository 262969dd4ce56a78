"""Address lists of From, To, Cc, Bcc, Reply-To and Sender fields (RFC 5322 §3.4).

One pass, linear, never an error: groups, comments, quoted strings, encoded-words, source routes and
broken input all give the best list there is. Everybody who wants to know whom a field names asks here: handles,
ENVELOPE, SEARCH, SORT, policies. Addresses on the SMTP wire are read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from fakemail.message.decoding import ENCODED_TEXT, decode_words, guess, unfolded
from fakemail.types.dataclass import dataclass

# In this order: encoded-word, quoted-string, atoms with dots, "@" and domain literals, white space, any
# other character. A broken mailer leaves commas inside encoded-words, so those come first.
_TOKEN: Final = re.compile(
    r"(?P<word>=\?[^?\s]++\?[bBqQ]\?" + ENCODED_TEXT + r"\?=)"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*+)"'
    r'|(?P<atom>(?:[^\s"(),:;<>\[\]]|\[[^\[\],;<>\r\n]*+\]|\[[^\]\s]*+\]?)++)'
    r"|(?P<space>\s++)"
    r"|(?P<mark>.)",
    re.DOTALL,
)
_TOKEN_UNQUOTED: Final = re.compile(_TOKEN.pattern.replace('"(?P<quoted>', "(?!)(?P<quoted>"), re.DOTALL)
_QUOTED_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_PAREN: Final = re.compile(r"[()]|\\.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A mailbox named in a header: display name (decoded, ``""`` if none) and address as written."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


class AddressItemKind(Enum):
    """Kind of an item in an address list."""

    MAILBOX = "mailbox"
    GROUP_START = "group start"
    GROUP_END = "group end"


class AddressItem(NamedTuple):
    """One item of an address list: names not decoded, as an IMAP ENVELOPE wants them."""

    kind: AddressItemKind
    name: str = ""
    address: str = ""
    route: str = ""
    """The obsolete source route before the address, ``"@a,@b"`` (RFC 5322 §4.4)."""

    @property
    def local(self) -> str:
        """The part before the last ``@``, quotes removed."""
        local = self.address.rpartition("@")[0] if "@" in self.address else self.address
        return _QUOTED_STRING.sub(_unquoted, local) if '"' in local else local

    @property
    def domain(self) -> str:
        """The part behind the last ``@``; ``""`` when there is none."""
        return self.address.rpartition("@")[2] if "@" in self.address else ""

    @property
    def text(self) -> str:
        """The item as people read it: ``Bob Smith <bob@example.org>``, the name decoded and without quotes.

        The start of a group is its name; its end is ``""``.
        """
        name = decode_words(self.name)
        return f"{name} <{self.address}>" if name and self.address else name or self.address


def read_addresses(raw: bytes) -> list[AddressItem]:
    """The items of the raw body of a From, To, Cc, Bcc, Reply-To or Sender field, folds and all.

    Names are as written, bytes that are no UTF-8 with ``surrogateescape``; :attr:`AddressItem.text` has them decoded.
    """
    items = split_addresses(unfolded(raw).decode("utf-8", "surrogateescape"))
    return [
        item if item.address.isascii() else item._replace(address=guess(octets_of(item.address)))
        for item in items
    ]


def octets_of(text: str) -> bytes:
    """Bytes of text that was read with ``surrogateescape``: bytes that are no UTF-8 come out as they were."""
    return text.encode("utf-8", "surrogateescape")


def mailboxes(raw: bytes) -> list[NamedAddress]:
    """The mailboxes of a raw address list, groups opened, display names decoded."""
    return [
        NamedAddress(decode_words(item.name), item.address if item.local else "")
        for item in read_addresses(raw)
        if item.kind is AddressItemKind.MAILBOX and (item.name or item.local)
    ]


def split_addresses(text: str) -> list[AddressItem]:
    """The items of an unfolded address list in order, with the start and the end of each group."""
    items: list[AddressItem] = []
    piece = _MailboxTokens()
    in_group = False
    for kind, token, plain in _tokens(text):
        if kind == "mark" and not piece.in_angle and token in ",;:":
            if token == ":" and not in_group:
                items.append(AddressItem(AddressItemKind.GROUP_START, piece.phrase()))
                in_group = True
                piece = _MailboxTokens()
                continue
            piece.flush(items)
            piece = _MailboxTokens()
            if token == ";" and in_group:
                items.append(AddressItem(AddressItemKind.GROUP_END))
                in_group = False
                piece.is_behind_group = True
        else:
            piece.add(kind, token, plain)
    piece.flush(items)
    if in_group:
        items.append(AddressItem(AddressItemKind.GROUP_END))
    return items


class _MailboxTokens:
    """Gathers the tokens of one mailbox until its comma."""

    __slots__ = (
        "angle",
        "comment",
        "group",
        "in_angle",
        "is_behind_group",
        "route",
        "seen_angle",
        "spaced",
        "words",
    )

    def __init__(self) -> None:
        self.words: list[tuple[bool, str, str]] = []  # space before, as written, without quotes
        self.angle: list[str] = []
        self.comment = self.group = self.route = ""
        self.in_angle = self.seen_angle = self.spaced = self.is_behind_group = False

    def add(self, kind: str, token: str, plain: str) -> None:
        if kind == "space":
            self.spaced = True
        elif kind == "comment":
            self.comment = (
                plain or self.comment
            )  # the last one says who it is: pete(his account)@silly.test (Pete)
            self.spaced = True
        elif self.in_angle:
            if token == ">":
                self.in_angle = False
            elif token == ":":
                before = "".join(self.angle)
                if before.startswith("@"):
                    self.route = before  # RFC 5322 §4.4: no part of the address
                else:
                    self.group = before  # <Undisclosed-Recipient:;>, or the scheme of a URL
                self.angle.clear()
            elif token not in "<;":
                self.angle.append(token)
        elif token == "<" and not self.seen_angle:
            self.in_angle = self.seen_angle = True
        elif kind != "mark" and not self.seen_angle:
            self.words.append((self.spaced, token, plain))
            self.spaced = False

    def phrase(self) -> str:
        return "".join((" " if spaced else "") + plain for spaced, _, plain in self.words).strip()

    def flush(self, items: list[AddressItem]) -> None:
        if self.seen_angle:
            name, found = self.phrase(), "".join(self.angle)
        else:
            name, found = self._bare()
            if self.is_behind_group and not name and found.startswith("@"):
                return  # undisclosed-recipients:;@relay.test
        if self.group and not found:
            items += [
                AddressItem(AddressItemKind.GROUP_START, self.group),
                AddressItem(AddressItemKind.GROUP_END),
            ]
        elif name or found:
            items.append(AddressItem(AddressItemKind.MAILBOX, name or self.comment, found, self.route))

    def _bare(self) -> tuple[str, str]:
        """Name and address of a mailbox without angle brackets.

        RFC 5322 §4.4: white space and comments around ``@`` and the dots are obsolete, and read.
        """
        chunks: list[tuple[list[str], list[str]]] = []  # as written, without quotes
        last = ""
        in_domain = False
        for spaced, written, plain in self.words:
            goes_on = not spaced or written.startswith((".", "@")) or last.endswith("@")
            # In front of the @ a dot at the end of a word is that of an initial: Joe Q. joe@example.org
            goes_on = goes_on or last == "." or (in_domain and last.endswith("."))
            if chunks and goes_on:
                chunks[-1][0].append(written)
                chunks[-1][1].append(plain)
            else:
                chunks.append(([written], [plain]))
                in_domain = False
            in_domain = in_domain or "@" in written
            last = written
        joined = [("".join(written), "".join(plain)) for written, plain in chunks]
        at = next((i for i in range(len(joined) - 1, -1, -1) if "@" in joined[i][0]), None)
        if at is None and len(joined) == 1 and not joined[0][0].startswith('"'):
            return "", joined[0][0]
        name = " ".join(plain for i, (_, plain) in enumerate(joined) if i != at)
        return name, "" if at is None else joined[at][0]


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, text as written, text without quotes."""
    at = 0
    pattern = _TOKEN
    while match := pattern.match(text, at):
        kind = match.lastgroup or ""
        token = match[0]
        at = match.end()
        if kind == "quoted":
            plain = match["quoted"]
            yield kind, token, _QUOTED_PAIR.sub(r"\1", plain) if "\\" in plain else plain
        elif token == "(":
            end = _comment_end(text, at)
            plain = text[at : end - 1].strip()
            yield "comment", text[at - 1 : end], _QUOTED_PAIR.sub(r"\1", plain) if "\\" in plain else plain
            at = end
        else:
            if token == '"':
                pattern = _TOKEN_UNQUOTED  # no quote after this one is worth a search to the end
            yield kind, token, token


def _unquoted(quoted: re.Match[str]) -> str:
    return _QUOTED_PAIR.sub(r"\1", quoted[1])


def _comment_end(text: str, start: int) -> int:
    """Offset behind the comment whose text starts at ``start``; an unclosed one runs to the end."""
    depth = 1
    for mark in _PAREN.finditer(text, start):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth -= 1
            if not depth:
                return mark.end()
    return len(text) + 1
