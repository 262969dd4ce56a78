"""Matchers: what fits, what is said when it does not, and how they combine."""

from __future__ import annotations

import re

import pytest

from fakemail.api.matchers import (
    HasAttachment,
    HasHeader,
    HasHtml,
    HasLink,
    HasSubject,
    HasText,
    Matcher,
    SentBy,
    SentTo,
)
from fakemail.message import samples
from fakemail.message.message import MessageView
from fakemail.types.address import address

WELCOME = MessageView(samples.html(to=["bob@example.org", "ann@example.org"]))
INVOICE = MessageView(samples.with_attachment())


class Account:
    address = address("Hello@example.com")


@pytest.mark.parametrize(
    "matcher",
    [
        HasSubject("Welcome, Bob"),
        HasSubject(re.compile("^welcome", re.IGNORECASE)),
        HasText("Confirm"),
        HasText(re.compile(r"/confirm/\d+")),
        HasHtml(),
        HasHtml("<p>"),
        HasHtml(re.compile("href=")),
        SentBy("hello@EXAMPLE.com"),
        SentBy(Account()),
        SentBy(address("hello@example.com")),
        SentBy(re.compile("@example")),
        SentTo("ann@example.org"),
        SentTo(re.compile("^bob@")),
        HasHeader("message-id"),
        HasHeader("MIME-Version", "1.0"),
        HasHeader("Content-Type", re.compile("^multipart/")),
        HasLink(),
        HasLink("confirm"),
        HasLink(re.compile("^Confirm$")),
        HasLink("Confirm", url=re.compile("^https:")),
        HasLink(url="https://example.com/confirm/4711"),
        ~HasSubject("News"),
        ~HasAttachment(),
        HasSubject("News") | SentTo("bob@example.org"),
        HasSubject("Welcome, Bob") & SentTo("bob@example.org") & ~HasText("Goodbye"),
    ],
    ids=repr,
)
def test_fits(matcher: Matcher) -> None:
    assert matcher.matches(WELCOME)
    assert matcher.mismatch(WELCOME) == ""
    assert not (~matcher).matches(WELCOME)


@pytest.mark.parametrize(
    ("matcher", "said"),
    [
        (HasSubject("Welcome"), "subject is 'Welcome, Bob', not 'Welcome'"),
        (HasSubject(re.compile("^x")), "subject is 'Welcome, Bob', not /^x/"),
        (
            HasText("Bye"),
            r"text does not contain 'Bye'; it is 'Welcome, Bob.\n\nConfirm: https://example.com/confirm/4711\n'",
        ),
        (SentBy("x@y.test"), "sender is 'hello@example.com', not 'x@y.test'"),
        (SentTo("x@y.test"), "it is addressed to 'bob@example.org', 'ann@example.org', not to 'x@y.test'"),
        (HasHeader("X-Foo"), "there is no X-Foo field"),
        (HasHeader("MIME-Version", "2"), "MIME-Version is '1.0', not '2'"),
        (HasAttachment("a.pdf"), "there is no attachment"),
        (
            HasLink("Help"),
            "no link is HasLink('Help'); there is 'Confirm' -> https://example.com/confirm/4711",
        ),
        (
            HasLink("Confirm", url="u"),
            "no link is HasLink('Confirm', url='u'); there is 'Confirm' -> https://example.com/confirm/4711",
        ),
        (~HasSubject("Welcome, Bob"), "it is HasSubject('Welcome, Bob'), and should not be"),
        (
            HasSubject("a") & SentBy("b"),
            "subject is 'Welcome, Bob', not 'a'; sender is 'hello@example.com', not 'b'",
        ),
        (
            HasSubject("a") | SentBy("b"),
            "subject is 'Welcome, Bob', not 'a'; and sender is 'hello@example.com', not 'b'",
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Matcher) else "",
)
def test_says_what_is_different(matcher: Matcher, said: str) -> None:
    assert not matcher.matches(WELCOME)
    assert matcher.mismatch(WELCOME) == said


def test_html_that_is_missing_or_different() -> None:
    assert HasHtml().mismatch(INVOICE) == "there is no HTML"
    assert (
        HasHtml("<table>").mismatch(WELCOME).startswith("HTML does not contain '<table>'; it is '<p>Welcome")
    )
    assert HasLink().mismatch(INVOICE) == "there is no link"


def test_attachments() -> None:
    assert HasAttachment().matches(INVOICE)
    assert HasAttachment("invoice.pdf", content_type="Application/PDF").matches(INVOICE)
    assert HasAttachment(re.compile(r"\.pdf$"), content=INVOICE.attachments[0].content).matches(INVOICE)
    assert HasAttachment("bill.pdf").mismatch(INVOICE) == (
        "no attachment is HasAttachment('bill.pdf'); there is 'invoice.pdf' (application/pdf, 21 octets)"
    )
    assert not HasAttachment("invoice.pdf", content=b"x").matches(INVOICE)


def test_repr_reads_like_the_code() -> None:
    a, b, c = HasSubject("a"), SentTo("b"), HasHeader("X", re.compile("c"))
    assert repr((a | b) & ~(b & c)) == (
        "(HasSubject('a') | SentTo('b')) & ~(SentTo('b') & HasHeader('X', /c/))"
    )
    assert repr(a & b & c) == "HasSubject('a') & SentTo('b') & HasHeader('X', /c/)"
    assert repr(~~a) == "HasSubject('a')"
    assert repr(HasAttachment("f", content_type="t/s", content=b"12")) == (
        "HasAttachment('f', content_type='t/s', content=<2 octets>)"
    )


def test_nobody() -> None:
    assert SentTo("a@b").mismatch(MessageView(b"")) == "it is addressed to nobody, not to 'a@b'"
    assert "..." in HasText("x").mismatch(MessageView(b"A: b\r\n\r\n" + b"y" * 500))


def test_what_a_matcher_says_is_short_and_harmless():
    page = "".join(
        f'<a href="https://example.com/\x1b[31m{at}/{"x" * 50_000}">{"y" * 50_000}</a>' for at in range(40)
    )
    links = HasLink("Nothing").mismatch(MessageView(samples.html(html=page, text=None)))
    assert links.endswith(" and 30 more")
    many = MessageView(
        samples.plain(to=[f"{'a' * 50}{at}@example.org" for at in range(1000)], subject="s" * 5000)
    )
    for said in (links, SentTo("x@y.test").mismatch(many), HasSubject("News").mismatch(many)):
        assert said.isprintable()
        assert len(said) < 6_000
