"""Matchers: what a message is like, said once, combined with ``&``, ``|`` and ``~``.

Every matcher says whether a message fits (:meth:`Matcher.matches`) and, for failure text, what is
different (:meth:`Matcher.mismatch`). They read messages and nothing else: no waiting, no mailboxes.

One rule for what is wanted: a string must be equal to the whole value, except in ``HasText``,
``HasHtml`` and the text of ``HasLink``, where it must be contained (case and white space as they are;
the text of a link: neither counts). A compiled pattern must be found anywhere (``re.search``).
Addresses ignore case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from fakemail.errors import MailAssertionError
from fakemail.events.text_layout import shown
from fakemail.types.address import Address, address_key
from fakemail.types.suggestions import Suggests

Wanted = str | re.Pattern[str]

# Of what a message has many of, so many are told when none of them is what was wanted.
_MOST_LISTED = 10


class HeaderView(Protocol):
    """Decoded header fields by name."""

    def all(self, name: str) -> list[str]:
        """The texts of all fields of that name."""
        ...


class LinkView(Protocol):
    """A link in a message."""

    @property
    def text(self) -> str: ...
    @property
    def url(self) -> str: ...


class AttachmentView(Protocol):
    """A file in a message."""

    @property
    def filename(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...


class Readable(Protocol):
    """A message as matchers read it; :class:`fakemail.message.message.MessageView` is one."""

    @property
    def subject(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def to(self) -> list[str]: ...
    @property
    def cc(self) -> list[str]: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def headers(self) -> HeaderView: ...
    @property
    def attachments(self) -> Sequence[AttachmentView]: ...
    @property
    def inline(self) -> Sequence[AttachmentView]: ...
    @property
    def links(self) -> Sequence[LinkView]: ...
    def code(self, length: int | None = None) -> str: ...


class Matcher(Suggests):
    """Base of all matchers; each tells the difference between a message and what is wanted."""

    def mismatch(self, message: Readable) -> str:
        """The difference, as a sentence without its full stop; ``""`` when the message fits."""
        raise NotImplementedError

    def matches(self, message: Readable) -> bool:
        """Whether the message fits."""
        return not self.mismatch(message)

    def __and__(self, other: Matcher) -> Matcher:
        return _All((*_members(self, _All), *_members(other, _All)))

    def __or__(self, other: Matcher) -> Matcher:
        return _Any((*_members(self, _Any), *_members(other, _Any)))

    def __invert__(self) -> Matcher:
        return self._inner if isinstance(self, _Not) else _Not(self)


class HasSubject(Matcher):
    """The subject is equal to a string, or a pattern is found in it."""

    def __init__(self, subject: Wanted) -> None:
        self._wanted = _text(subject, "a subject")

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        if _equal(self._wanted, message.subject):
            return ""
        return f"subject is {_short(message.subject)}, not {_show(self._wanted)}"

    def __repr__(self) -> str:
        return f"HasSubject({_show(self._wanted)})"


class HasText(Matcher):
    """The plain text (or what a person reads of the HTML) contains a string or a pattern."""

    def __init__(self, text: Wanted) -> None:
        self._wanted = _text(text, "a text")

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        if _contains(self._wanted, message.text):
            return ""
        return f"text does not contain {_show(self._wanted)}; it is {_short(message.text)}"

    def __repr__(self) -> str:
        return f"HasText({_show(self._wanted)})"


class HasHtml(Matcher):
    """There is HTML, and its source contains a string or a pattern where one is given."""

    def __init__(self, html: Wanted | None = None) -> None:
        self._wanted = None if html is None else _text(html, "HTML")

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        if not message.html:
            return "there is no HTML"
        if self._wanted is None or _contains(self._wanted, message.html):
            return ""
        return f"HTML does not contain {_show(self._wanted)}; it is {_short(message.html)}"

    def __repr__(self) -> str:
        return f"HasHtml({'' if self._wanted is None else _show(self._wanted)})"


class SentBy(Matcher):
    """The From field names this address. An account may be given instead of a string."""

    def __init__(self, address: object) -> None:
        self._wanted = _address(address)

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        if _same_address(self._wanted, message.sender):
            return ""
        return f"sender is {_short(message.sender)}, not {_show(self._wanted)}"

    def __repr__(self) -> str:
        return f"SentBy({_show(self._wanted)})"


class SentTo(Matcher):
    """The To or the Cc field names this address. An account may be given instead of a string."""

    def __init__(self, address: object) -> None:
        self._wanted = _address(address)

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        named = [*message.to, *message.cc]
        if any(_same_address(self._wanted, one) for one in named):
            return ""
        return f"it is addressed to {_listed(named, 'nobody')}, not to {_show(self._wanted)}"

    def __repr__(self) -> str:
        return f"SentTo({_show(self._wanted)})"


class HasHeader(Matcher):
    """There is a field of that name, and one of them has the value where one is given."""

    def __init__(self, name: str, value: Wanted | None = None) -> None:
        self._name = name
        self._wanted = value

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        values = message.headers.all(self._name)
        if not values:
            return f"there is no {self._name} field"
        if self._wanted is None or any(_equal(self._wanted, value) for value in values):
            return ""
        return f"{self._name} is {_listed(values, '')}, not {_show(self._wanted)}"

    def __repr__(self) -> str:
        return f"HasHeader({self._name!r}{'' if self._wanted is None else ', ' + _show(self._wanted)})"


class HasAttachment(Matcher):
    """There is an attachment, or a part shown inline, with this file name, media type and content, as far as given."""

    def __init__(
        self,
        filename: Wanted | None = None,
        *,
        content_type: str | None = None,
        content: bytes | None = None,
    ) -> None:
        self._filename = filename
        self._content_type = content_type
        self._content = content

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        attachments = [*message.attachments, *message.inline]
        if any(self._fits(attachment) for attachment in attachments):
            return ""
        if not attachments:
            return "there is no attachment"
        there = [
            f"{_short(one.filename)} ({one.content_type}, {len(one.content)} octets)"
            for one in attachments[:_MOST_LISTED]
        ]
        return f"no attachment is {self!r}; there is {', '.join(there)}{_more(len(attachments))}"

    def _fits(self, attachment: AttachmentView) -> bool:
        return (
            (self._filename is None or _equal(self._filename, attachment.filename))
            and (self._content_type is None or self._content_type.lower() == attachment.content_type)
            and (self._content is None or self._content == attachment.content)
        )

    def __repr__(self) -> str:
        said = [] if self._filename is None else [_show(self._filename)]
        if self._content_type is not None:
            said.append(f"content_type={self._content_type!r}")
        if self._content is not None:
            said.append(f"content=<{len(self._content)} octets>")
        return f"HasAttachment({', '.join(said)})"


class HasLink(Matcher):
    """There is a link whose text contains these words and whose URL is this one, as far as given."""

    def __init__(self, text: Wanted | None = None, *, url: Wanted | None = None) -> None:
        self._text = text
        self._url = url

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        links = message.links
        if any(self._fits(link) for link in links):
            return ""
        if not links:
            return "there is no link"
        there = [f"{_short(link.text)} -> {shown(link.url)}" for link in links[:_MOST_LISTED]]
        return f"no link is {self!r}; there is {', '.join(there)}{_more(len(links))}"

    def _fits(self, link: LinkView) -> bool:
        if isinstance(self._text, str):
            named = _folded(self._text) in _folded(link.text)
        else:
            named = self._text is None or _contains(self._text, link.text)
        return named and (self._url is None or _equal(self._url, link.url))

    def __repr__(self) -> str:
        said = [] if self._text is None else [_show(self._text)]
        if self._url is not None:
            said.append(f"url={_show(self._url)}")
        return f"HasLink({', '.join(said)})"


class HasCode(Matcher):
    """There is a one-time code, of that many characters if given."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length

    def mismatch(self, message: Readable) -> str:
        """The difference; ``""`` when there is none."""
        try:
            message.code(self.length)
        except MailAssertionError as error:
            return str(error).partition("\n")[0]
        return ""

    def __repr__(self) -> str:
        return f"HasCode({'' if self.length is None else self.length})"


class _All(Matcher):
    def __init__(self, members: tuple[Matcher, ...]) -> None:
        self._members = members

    def mismatch(self, message: Readable) -> str:
        return "; ".join(found for member in self._members if (found := member.mismatch(message)))

    def __repr__(self) -> str:
        return " & ".join(_operand(member) for member in self._members)


class _Any(Matcher):
    def __init__(self, members: tuple[Matcher, ...]) -> None:
        self._members = members

    def mismatch(self, message: Readable) -> str:
        found = [member.mismatch(message) for member in self._members]
        return "; and ".join(found) if all(found) else ""

    def __repr__(self) -> str:
        return " | ".join(_operand(member) for member in self._members)


class _Not(Matcher):
    def __init__(self, inner: Matcher) -> None:
        self._inner = inner

    def mismatch(self, message: Readable) -> str:
        return "" if self._inner.mismatch(message) else f"it is {self._inner!r}, and should not be"

    def __repr__(self) -> str:
        return f"~{_operand(self._inner)}"


def _members(matcher: Matcher, kind: type[_All] | type[_Any]) -> tuple[Matcher, ...]:
    return matcher._members if isinstance(matcher, kind) else (matcher,)


def _operand(matcher: Matcher) -> str:
    return f"({matcher!r})" if isinstance(matcher, _All | _Any) else repr(matcher)


def _equal(wanted: Wanted, value: str) -> bool:
    return wanted == value if isinstance(wanted, str) else wanted.search(value) is not None


def _contains(wanted: Wanted, value: str) -> bool:
    return wanted in value if isinstance(wanted, str) else wanted.search(value) is not None


def _same_address(wanted: Wanted, value: str) -> bool:
    return address_key(wanted) == address_key(value) if isinstance(wanted, str) else _equal(wanted, value)


def _address(who: object) -> Wanted:
    if isinstance(who, str | re.Pattern):
        return who
    if isinstance(who, Address):
        return str(who)
    if (named := getattr(who, "address", None)) is None:
        raise TypeError(f"an address is a text, a pattern or an account, one at a time, not {who!r}.")
    return str(named)


def _text(wanted: object, of: str) -> Wanted:
    if not isinstance(wanted, str | re.Pattern):
        raise TypeError(f"{of} is a text or a compiled pattern, not {wanted!r}.")
    return wanted


def _show(wanted: Wanted) -> str:
    return repr(wanted) if isinstance(wanted, str) else f"/{wanted.pattern}/"


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "...")


def _listed(values: Sequence[str], empty: str) -> str:
    return (", ".join(map(_short, values[:_MOST_LISTED])) or empty) + _more(len(values))


def _more(number: int) -> str:
    return f" and {number - _MOST_LISTED} more" if number > _MOST_LISTED else ""


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
