"""A received message as a test reads it: :class:`MessageView`, lazy over the raw bytes.

Nothing in here decides where mail goes, and nothing raises over a malformed message.
"""

from __future__ import annotations

import email
from collections.abc import Iterable
from datetime import datetime
from email import policy
from email.message import EmailMessage
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from fakemail.errors import MailAssertionError
from fakemail.message.addresses import NamedAddress, mailboxes
from fakemail.message.headers import Headers, body_offset, message_ids, parse_date, split_fields
from fakemail.message.mime import Part, parse
from fakemail.message.reports.arf_mdn import (
    ComplaintReport,
    DispositionReport,
    FailureReport,
    read_complaint,
    read_disposition,
    read_failure,
)
from fakemail.message.reports.dmarc import DmarcReport, read_dmarc_report
from fakemail.message.reports.dsn import DeliveryReport
from fakemail.message.reports.tlsrpt import TlsReport, read_tls_report
from fakemail.types.dataclass import dataclass
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.message.html_text import HtmlText, Link


@dataclass(frozen=True, slots=True)
class Attachment(Suggests):
    """A part of a message that is in neither ``text`` nor ``html``: a file, a picture, an enclosed message."""

    part: Part

    @property
    def filename(self) -> str:
        """The suggested name, decoded, or ``""``. It comes from the sender: never use it as a path."""
        return self.part.filename

    @property
    def content_type(self) -> str:
        """The media type, lower-case, without parameters."""
        return self.part.content_type

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.part.content

    @property
    def text(self) -> str:
        """The content as text, in the charset that the part names."""
        return self.part.text

    @property
    def content_id(self) -> str:
        """The Content-ID without brackets, as ``cid:`` links name it, or ``""``."""
        return self.part.content_id

    @property
    def inline(self) -> bool:
        """Whether it is to be shown with the text (RFC 2183 §2.1), said or, as for pictures, by a Content-ID."""
        kind = self.part.disposition
        return kind == "inline" or (not kind and bool(self.part.content_id))

    def __repr__(self) -> str:
        return f"<Attachment {self.filename!r}, {self.content_type}, {len(self.content)} octets>"


class MessageView(Suggests):
    """A message as received. Every property is computed at its first use and kept.

    ``from_`` gives :class:`~fakemail.message.addresses.NamedAddress` values with display names; ``to``, ``cc``,
    ``bcc`` and ``reply_to`` are plain lists of addresses, ready to compare with strings. What a message
    does not have is ``""``, ``[]`` or None, never an error.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def headers(self) -> Headers:
        """The header fields: ``headers["X-Foo"]``, ``.get(name)``, ``.all(name)``; case does not matter."""
        return Headers(split_fields(self.raw, 0, body_offset(self.raw)))

    @cached_property
    def root(self) -> Part:
        """The MIME tree."""
        return parse(self.raw)

    @cached_property
    def subject(self) -> str:
        """The Subject, decoded, or ``""``."""
        return self.headers.get("Subject", "")

    @cached_property
    def from_(self) -> list[NamedAddress]:
        """The mailboxes of the From field, with their display names."""
        return self._mailboxes("From")

    @property
    def sender(self) -> str:
        """The first address of the From field, or ``""``."""
        return next((mailbox.address for mailbox in self.from_ if mailbox.address), "")

    @cached_property
    def to(self) -> list[str]:
        """The addresses of the To field. The envelope may say otherwise."""
        return self._addresses("To")

    @cached_property
    def cc(self) -> list[str]:
        """The addresses of the Cc field."""
        return self._addresses("Cc")

    @cached_property
    def bcc(self) -> list[str]:
        """The addresses of the Bcc field; there should be none in received mail."""
        return self._addresses("Bcc")

    @cached_property
    def reply_to(self) -> list[str]:
        """The addresses of the Reply-To field."""
        return self._addresses("Reply-To")

    @cached_property
    def date(self) -> datetime | None:
        """The Date field with its time zone, or None when there is none that can be read."""
        return parse_date(self.headers.get("Date", ""))

    @cached_property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets, or ``""``."""
        return next(iter(message_ids(self.headers.get("Message-ID", ""))), "")

    @cached_property
    def in_reply_to(self) -> str:
        """The first message identifier of In-Reply-To, with its angle brackets, or ``""``."""
        return next(iter(message_ids(self.headers.get("In-Reply-To", ""))), "")

    @cached_property
    def references(self) -> list[str]:
        """The message identifiers of References, oldest first."""
        return message_ids(self.headers.get("References", ""))

    @cached_property
    def text(self) -> str:
        """The plain text, line ends as ``\\n``; made from the HTML when there is only that; else ``""``.

        Where several parts are plain text to be read (text around a picture, the footer of a mailing list), all of
        them, one behind the other.
        """
        if self._leaves.text or not self._leaves.html:
            return _joined(self._leaves.text)
        return self._hypertext.text

    @cached_property
    def html(self) -> str:
        """The HTML source, line ends as ``\\n``, or ``""``; of several parts, one behind the other."""
        return _joined(self._leaves.html)

    @cached_property
    def delivery_report(self) -> DeliveryReport | None:
        """Delivery status notification (a bounce, for example); ``None`` if it is none.

        Of bounces without a part for programs it has what could be found in their text.
        """
        from fakemail.message.reports.bounce_styles import read_report  # for tests of bounces only

        return read_report(
            self.root,
            sender=self.sender,
            subject=self.subject,
            failed=self.headers.get("X-Failed-Recipients", ""),
            own=frozenset(each.lower() for each in (self.sender, *self.to)),
        )

    @cached_property
    def complaint_report(self) -> ComplaintReport | None:
        """Complaint of a feedback loop (ARF, RFC 5965); ``None`` if it is none."""
        return read_complaint(self.root)

    @cached_property
    def disposition_report(self) -> DispositionReport | None:
        """Message disposition notification: read, or not (MDN, RFC 8098); ``None`` if it is none."""
        return read_disposition(self.root)

    @property
    def is_automatic(self) -> bool:
        """Whether it says that a program made it (Auto-Submitted, RFC 3834 §5): a bounce, an out-of-office reply."""
        word = self.headers.get("Auto-Submitted", "").partition(";")[0].strip().lower()
        return word not in ("", "no")

    @cached_property
    def tls_report(self) -> TlsReport | None:
        """TLS report about sessions (RFC 8460); ``None`` if it is none."""
        return read_tls_report(self.root)

    @cached_property
    def dmarc_report(self) -> DmarcReport | None:
        """DMARC aggregate report about a domain's mail (RFC 9990); ``None`` if it is none."""
        return read_dmarc_report(self.root)

    @cached_property
    def failure_report(self) -> FailureReport | None:
        """Report of one message that failed authentication (RFC 6591); ``None`` if it is none."""
        return read_failure(self.root)

    @property
    def attachments(self) -> list[Attachment]:
        """The files that come with it and enclosed messages, in order; not those of ``inline``."""
        return [each for each in self._leaves.attachments if not each.inline]

    @property
    def inline(self) -> list[Attachment]:
        """The parts that are shown with the text, such as the pictures of the HTML, in order (RFC 2183 §2.1)."""
        return [each for each in self._leaves.attachments if each.inline]

    @cached_property
    def links(self) -> list[Link]:
        """The links of the HTML in order, relative ones completed; without HTML, the URLs in the plain text.

        A URL in plain text has the words beside it on its line as its text, or the line above it. Of a very long
        text the beginning is read: four million characters, a hundred thousand tags.
        """
        if self._leaves.html:
            return list(self._hypertext.links)
        from fakemail.message.html_text import bare_links

        return bare_links(self.text)

    def link(self, text: str = "", *, url: str = "") -> str:
        """The URL of the one link whose text contains these words, or whose URL contains that, or both.

        Case and white space do not matter. Without arguments, the URL of the only link there is.

        Raises :class:`~fakemail.errors.MailAssertionError` when no link fits, or several with different URLs.
        """
        __tracebackhide__ = True
        words, part = _folded(text), url.casefold()
        fitting = [link for link in self.links if words in _folded(link.text) and part in link.url.casefold()]
        if len({link.url for link in fitting}) == 1:
            return fitting[0].url
        asked = [(text, "text")] if text else []
        asked += [(url, "URL")] if url else []
        if fitting and not asked:
            raise MailAssertionError(
                f"{self!r} has several links, say which by link(text) or link(url=...):\n{_link_lines(fitting)}"
            )
        if fitting:
            raise MailAssertionError(
                f"several links of {self!r} have {_asked(asked, 'their')}:\n{_link_lines(fitting)}"
            )
        there = (
            f"The links are:\n{_link_lines(self.links)}" if self.links else "There is no link in it at all."
        )
        missed = f"no link of {self!r} has {_asked(asked, 'its')}" if asked else f"{self!r} has no link"
        raise MailAssertionError(f"{missed}. {there}")

    def code(self, length: int | None = None) -> str:
        """The one-time code in the text (or in the subject): 4 to 8 digits, or capitals with digits.

        ``length`` is the number of characters when the test knows it. Raises
        :class:`~fakemail.errors.MailAssertionError` when there is no code, or no plain one.
        """
        __tracebackhide__ = True
        from fakemail.message import otp  # its patterns are large, and only tests of codes need them

        found = otp.candidates(self.text, length=length)
        if not any(candidate.distance is not None for candidate in found):
            found = otp.candidates(self.subject, length=length) or found
        chosen = otp.choose(found)
        if chosen is not None:
            return chosen
        size = "" if length is None else f" of {length} characters"
        if not found:
            raise MailAssertionError(
                f"no code{size} was found in {self!r}. Its text is:\n{_shown(self.text)}"
            )
        names = ", ".join(repr(candidate.code) for candidate in found[:10])
        raise MailAssertionError(
            f"it is not plain which code{size} of {self!r} is meant; candidates: {names}. "
            "Give code(length=...) if that tells them apart."
        )

    def as_email(self) -> EmailMessage:
        """A new :class:`email.message.EmailMessage` of the standard library, with its default policy."""
        return email.message_from_bytes(self.raw, policy=policy.default)

    def __getitem__(self, name: str) -> str:
        """The decoded text of the first header field of that name. Raises ``KeyError`` with the names there are."""
        __tracebackhide__ = True
        if not isinstance(name, str):
            raise TypeError(
                f"a message is asked for header fields by name, mail['Subject'], not by {name!r}."
            )
        field = self.headers.first(name)
        if field is None:
            there = ", ".join(dict.fromkeys(self.headers)) or "none at all"
            raise KeyError(f"{self!r} has no header field {name!r}; there are {there}")
        return field.text

    def __contains__(self, name: object) -> bool:
        return name in self.headers

    @cached_property
    def _leaves(self) -> _Leaves:
        return _sort(self.root)

    @cached_property
    def _hypertext(self) -> HtmlText:
        from fakemail.message.html_text import read_html  # for tests that look into HTML only

        return read_html(self.html)

    def _mailboxes(self, name: str) -> list[NamedAddress]:
        return [mailbox for field in self.headers.fields_named(name) for mailbox in mailboxes(field.raw)]

    def _addresses(self, name: str) -> list[str]:
        return [mailbox.address for mailbox in self._mailboxes(name) if mailbox.address]

    def __repr__(self) -> str:
        subject = self.subject if len(self.subject) <= 60 else self.subject[:57] + "..."
        to = ", ".join(self.to[:3]) + (f" and {len(self.to) - 3} more" if len(self.to) > 3 else "")
        return f"<Message {subject!r} from {self.sender or 'nobody'} to {to or 'nobody'}, {len(self.raw)} octets>"


class _Leaves(NamedTuple):
    """The leaves of a tree, each in one of these, in order."""

    text: list[Part]
    html: list[Part]
    attachments: list[Attachment]


def _sort(root: Part) -> _Leaves:
    """Displayed parts of a message, as plain text and as HTML, and its attachments (RFC 8621 §4.1.4 sorts likewise)."""
    leaves = _Leaves([], [], [])
    waiting: list[tuple[Part, Part | None, bool]] = [(root, None, True)]
    while waiting:
        part, parent, is_shown = waiting.pop()
        kind = leaves.html if part.content_type == "text/html" else leaves.text
        # A form of the same text comes first in its kind only.
        is_form = parent is not None and parent.type.sub == "alternative"
        is_first = not kind if is_form else not leaves.text and not leaves.html
        if part.is_multipart and part.children:
            # RFC 2387 §3.2: of related parts the root is shown, and the others are what it refers to.
            shown = _related_root(part) if part.type.sub == "related" else None
            each = [(child, part, is_shown and shown in (None, child)) for child in part.children]
            waiting.extend(reversed(each))
        elif is_shown and _is_prose(part, root, is_first=is_first):
            kind.append(part)
        else:
            leaves.attachments.append(Attachment(part))
    return leaves


def _related_root(part: Part) -> Part:
    start = part.parameters.get("start", "").strip("<> ")
    named = (child for child in part.children if start and child.content_id == start)
    return next(named, part.children[0])


def _is_prose(part: Part, root: Part, *, is_first: bool) -> bool:
    """Whether a leaf is to be read, and no file."""
    if part.disposition == "attachment":
        return False
    # What has a name is a file, but for a text that comes before any other (RFC 8621 §4.1.4).
    if part.filename and not is_first:
        return False
    if part.content_type in ("text/plain", "text/html"):
        return True
    # Alone, any other text is all there is to read, and so is a multipart whose parts cannot be found.
    return part is root and part.type.main in ("text", "multipart")


def _joined(parts: Iterable[Part]) -> str:
    """The texts of parts, each beginning on a line of its own."""
    texts = [text for part in parts if (text := part.text)]
    return "".join([text if text.endswith("\n") else text + "\n" for text in texts[:-1]] + texts[-1:])


def _asked(parts: list[tuple[str, str]], whose: str) -> str:
    return " and ".join([f"{wanted!r} in {whose} {place}" for wanted, place in parts])


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _link_lines(links: Iterable[Link]) -> str:
    every = list(links)
    lines = [f"  {_cut(link.text, 200)!r} -> {_harmless(_cut(link.url, 500))}" for link in every[:20]]
    more = [f"  and {len(every) - 20} more"] if len(every) > 20 else []
    return "\n".join(lines + more)


def _shown(text: str) -> str:
    return _harmless(_cut(text, 500)).strip() or "(empty)"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _harmless(text: str) -> str:
    """Text that came with a message without what a terminal would obey; its lines stay lines."""
    return "".join(
        [
            char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
            for char in text
        ]
    )
