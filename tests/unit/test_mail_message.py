"""What a test reads of a message: texts, attachments, links, codes."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from fakemail.errors import MailAssertionError
from fakemail.message import samples
from fakemail.message.addresses import NamedAddress
from fakemail.message.html_text import MAX_READ, MAX_TAGS, Link, bare_links, read_html
from fakemail.message.message import MessageView
from fakemail.message.otp import candidates


def view(text: str = "", **options: str) -> MessageView:
    return MessageView(samples.plain(text=text, **options))


def rich(html: str) -> MessageView:
    return MessageView(samples.html(html=html, text=None))


def test_the_header_at_a_glance() -> None:
    mail = MessageView(
        b"From: Shop <hello@example.com>, x@y.test\r\nTo: bob@example.org\r\nTo: Ann <ann@b.test>\r\nCc: c@d.test\r\n"
        b"Bcc: e@f.test\r\nReply-To: help@example.com\r\nSubject: =?utf-8?q?Welcome?=\r\nMessage-ID: <1@e.test>\r\n"
        b"In-Reply-To: <0@b.test>\r\nReferences: <a@b> <0@b.test>\r\nX-Foo: bar\r\n\r\nHello\r\n"
    )
    assert mail.subject == "Welcome"
    assert mail.sender == "hello@example.com"
    assert mail.from_ == [NamedAddress("Shop", "hello@example.com"), NamedAddress("", "x@y.test")]
    assert (mail.to, mail.cc, mail.bcc) == (["bob@example.org", "ann@b.test"], ["c@d.test"], ["e@f.test"])
    assert mail.reply_to == ["help@example.com"]
    assert (mail.message_id, mail.in_reply_to) == ("<1@e.test>", "<0@b.test>")
    assert mail.references == ["<a@b>", "<0@b.test>"]
    assert mail.headers["x-foo"] == "bar"
    assert mail.date is None
    assert mail.text == "Hello\n"


def test_what_is_absent_is_empty() -> None:
    mail = MessageView(b"")
    assert (mail.subject, mail.sender, mail.message_id, mail.in_reply_to, mail.text, mail.html) == ("",) * 6
    assert mail.to == mail.cc == mail.references == mail.attachments == mail.links == []
    assert repr(mail) == "<Message '' from nobody to nobody, 0 octets>"


def test_repr_is_short_and_useful() -> None:
    raw = samples.html()
    assert repr(MessageView(raw)) == (
        f"<Message 'Welcome, Bob' from hello@example.com to bob@example.org, {len(raw)} octets>"
    )
    many = MessageView(samples.plain(to=[f"u{n}@b.test" for n in range(9)], subject="x" * 100))
    assert "u2@b.test and 6 more" in repr(many)
    assert "x" * 58 not in repr(many)


def test_text_and_html_of_an_alternative() -> None:
    mail = MessageView(samples.html())
    assert mail.text == "Welcome, Bob.\n\nConfirm: https://example.com/confirm/4711\n"
    assert mail.html.startswith("<p>Welcome")
    assert mail.attachments == []


def test_html_alone_is_made_readable() -> None:
    mail = rich("<h1>Hi</h1><p>One<br>two</p>")
    assert mail.text == "Hi\n\nOne\ntwo\n"


def test_a_text_that_is_attached_is_not_the_text() -> None:
    mail = MessageView(
        samples.with_attachment(
            filename="a.txt", content=b"caf\xe9", content_type="text/plain; charset=latin-1"
        )
    )
    assert mail.text == "Your invoice is attached.\n"
    (file,) = mail.attachments
    assert (file.filename, file.content_type, file.content, file.text) == (
        "a.txt",
        "text/plain",
        b"caf\xe9",
        "café",
    )
    assert not file.inline
    assert repr(file) == "<Attachment 'a.txt', text/plain, 4 octets>"


def test_an_inline_picture() -> None:
    mail = MessageView(samples.inline_picture())
    (picture,) = mail.inline
    assert mail.attachments == []
    assert (picture.filename, picture.content_id, picture.inline) == ("pixel.png", "pixel@example.com", True)
    assert picture.content.startswith(b"\x89PNG")
    assert mail.text == "Look: dot\n"


def test_an_enclosed_message_is_an_attachment_and_its_text_is_not_ours() -> None:
    inner = samples.plain(text="inner\n")
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + inner + b"\r\n--b\r\n\r\nouter\r\n--b--\r\n"
    )  # fmt: skip
    mail = MessageView(raw)
    assert mail.text == "outer"
    (enclosed,) = mail.attachments
    assert enclosed.content == inner
    assert MessageView(enclosed.content).text == "inner\n"


def test_a_related_part_named_by_start_is_the_root() -> None:
    raw = (
        b"Content-Type: multipart/related; boundary=b; start=r@x\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\nno\r\n"
        b"--b\r\nContent-Type: text/html\r\nContent-ID: <r@x>\r\n\r\nyes\r\n--b--"
    )  # fmt: skip
    assert MessageView(raw).html == "yes"


def test_a_calendar_beside_the_text_is_an_attachment() -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\ncome\r\n"
        b"--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n--b--"
    )
    mail = MessageView(raw)
    assert mail.text == "come"
    assert [file.content_type for file in mail.attachments] == ["text/calendar"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a&amp;b &lt;c&gt; &#8364; &nbsp;x", "a&b <c> € x\n"),
        ("<p>a</p>\n<p>b</p>", "a\n\nb\n"),
        ("<ul><li>a</li><li>b</li></ul>c", "- a\n- b\n\nc\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("<style>p{}</style><script>if (a<b) {'</p>'}</script>x", "x\n"),
        ("<head><title>t</title></head><body>x", "x\n"),
        ("<head><title>never closed<body>x", ""),
        ("<a href='x'>Confirm</a> now", "Confirm now\n"),
        ("<pre>a\n  b</pre>", "a\n  b\n"),
        ("a <b>b</b>, <i>c</i>d", "a b, cd\n"),
        ("1 < 2 <> x", "1 < 2 <> x\n"),
        ("a<!-- <b> -->b<!DOCTYPE x>c<?php?>d</ >e", "abcde\n"),
        ("x<!-- never closed", "x\n"),
        ("x<a href='never closed", "x\n"),
        ('<img alt="dot"><img src=x>', "dot\n"),
        ("<textarea>a<b></textarea>c", "a<b>c\n"),
        ("", ""),
    ],
)
def test_html_to_text(html: str, text: str) -> None:
    assert read_html(html).text == text


def test_links_of_html() -> None:
    mail = rich(
        '<a href="https://a.test/?x=1&amp;y=2">Con<b>firm</b>\n now</a><A HREF=mailto:h@b.test>Mail</A><a name=x>no</a>'
        '<a title="a>b" href=\' javascript:x() \'><img alt="Logo"></a><a href="https://open.test">open'
    )
    assert mail.links == [
        Link("Confirm now", "https://a.test/?x=1&y=2"),
        Link("Mail", "mailto:h@b.test"),
        Link("Logo", "javascript:x()"),
        Link("open", "https://open.test"),
    ]
    assert mail.link("confirm   NOW") == "https://a.test/?x=1&y=2"


def test_links_of_plain_text_are_named_by_the_words_before_them() -> None:
    text = "Confirm your address:\nhttps://a.test/x_(1).\n\nOr see (https://b.test/q), <mailto:x@y.test>!\nhttps://c.test"
    assert bare_links(text) == [
        Link("Confirm your address", "https://a.test/x_(1)"),
        Link("Or see", "https://b.test/q"),
        Link("https://c.test", "https://c.test")._replace(text="mailto:x@y.test", url="mailto:x@y.test"),
        Link("https://c.test", "https://c.test"),
    ]
    assert view(text).link("confirm") == "https://a.test/x_(1)"


@pytest.mark.parametrize(
    ("text", "label", "url"),
    [
        ("Go to https://a.test/c to confirm.", "Go to to confirm", "https://a.test/c"),
        ("https://a.test/c confirms it", "confirms it", "https://a.test/c"),
        ("Confirm:\n\n  https://a.test/c (one hour)\n", "Confirm one hour", "https://a.test/c"),
        ("Confirm: <https://a.test/a\r\n  /b?c=\n1>", "Confirm", "https://a.test/a/b?c=1"),
        ("Confirm: <https://a.test/a\n\nBye>", "Confirm", "https://a.test/a"),
        ("Confirm:\nhttps://a.test/a\nBye\n", "Confirm", "https://a.test/a"),
        ("Confirm: <URL:https://a.test/a>", "Confirm", "https://a.test/a"),
        ("Confirm: <url: https://a.test/a\n  /b>", "Confirm", "https://a.test/a/b"),
        ("„Bestätigen“: „https://a.test/ü“.", "Bestätigen", "https://a.test/ü"),
        ("Confirm: “https://a.test/a”, or not", "Confirm or not", "https://a.test/a"),
        ("Confirmer : « https://a.test/a »", "Confirmer", "https://a.test/a"),
        ("Confirm https://a.test/a…", "Confirm", "https://a.test/a"),
        ("確認：https://a.test/a。", "確認", "https://a.test/a"),
        ("「https://a.test/a」、確認", "確認", "https://a.test/a"),
    ],
)
def test_a_link_in_plain_text_is_named_by_its_line(text: str, label: str, url: str) -> None:
    assert bare_links(text) == [Link(label, url)]


def test_several_links_on_a_line_of_plain_text() -> None:
    assert bare_links("Confirm: https://a.test/c or cancel: https://a.test/x today") == [
        Link("Confirm", "https://a.test/c"),
        Link("or cancel today", "https://a.test/x"),
    ]


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ('<a href="https://a.test/c?\r\n   x=1&amp;\n\ty=2">', "https://a.test/c?x=1&y=2"),
        ("<a href='https://a.test/\tc'>", "https://a.test/c"),
        ('<head><base href="https://a.test/b/"></head><a href="c?d">', "https://a.test/b/c?d"),
        (
            '<base target=_blank><base href="https://a.test/b/"><base href="https://no.test/"><a href="/c">',
            "https://a.test/c",
        ),
        ('<a href="c"><base href=https://a.test>', "https://a.test/c"),
        (
            '<a href="https://a.test/?a=1&region=eu&copy=2&section=3&param=4&notify=5">',
            "https://a.test/?a=1&region=eu&copy=2&section=3&param=4&notify=5",
        ),
        (
            "<a href='https://a.test/?a&amp;b&#38;c&#x26;d&eacute;&copyx;&copy'>",
            "https://a.test/?a&b&c&dé&copyx;©",
        ),
        ('<base href="https://a.test/"><a href="mailto:b@c.test">', "mailto:b@c.test"),
        ('<base href="https://a.test/"><a href="https://b.test/c">', "https://b.test/c"),
        ('<base href="https://a.test/"><a href="http://[x">', "http://[x"),
        ('<map><area shape=rect alt="Confirm" href="https://a.test/\nc"></map>', "https://a.test/c"),
    ],
)
def test_urls_as_browsers_read_them(html: str, url: str) -> None:
    assert rich(f"{html}Confirm</a>").link("confirm" if "<area" in html else "") == url


def test_links_of_a_picture() -> None:
    mail = rich('<map name=m><area alt="Yes, confirm" href=u><area alt=No href=v><area alt=Neither></map>')
    assert mail.links == [Link("Yes, confirm", "u"), Link("No", "v")]


def test_a_link_by_its_url() -> None:
    mail = rich("<a href=https://a.test/Confirm/1>Go</a> <a href=https://a.test/help>Go</a>")
    assert mail.link(url="confirm") == "https://a.test/Confirm/1"
    assert mail.link("go", url="help") == "https://a.test/help"
    with pytest.raises(
        MailAssertionError, match=r"no link of .* has 'help' in its text and 'confirm' in its URL\. The"
    ):
        mail.link("help", url="confirm")
    with pytest.raises(
        MailAssertionError, match=r"several links of .* have 'a\.test' in their URL:\n  'Go' ->"
    ):
        mail.link(url="a.test")


def test_the_only_link() -> None:
    assert view("Go to https://a.test/1 or https://a.test/1\n").link() == "https://a.test/1"
    with pytest.raises(
        MailAssertionError, match=r"has several links, say which by link\(text\) or link\(url=\.\.\.\):"
    ):
        view("https://a.test/1 https://a.test/2").link()
    with pytest.raises(MailAssertionError, match=r"has no link\. There is no link in it at all"):
        view("none").link()


@pytest.mark.parametrize("size", [8_000_000, pytest.param(30_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("content_type", "piece", "most"),
    [
        ("text/html", b"<a href=https://a.test/1>x</a>\r\n", MAX_TAGS // 2),
        ("text/html", b"<a href='https://a.test/" + b"1" * 1000 + b"'>x</a>\r\n", MAX_READ // 1000),
        ("text/plain", b"https://a.test/1\r\n", MAX_TAGS),
        ("text/plain", b"https://a.test/" + b"1" * 1000 + b"\r\n", MAX_READ // 1000),
    ],
)
def test_of_a_flood_of_links_the_beginning_is_read(
    content_type: str, piece: bytes, most: int, size: int
) -> None:
    mail = MessageView(f"Content-Type: {content_type}\r\n\r\n".encode() + piece * (size // len(piece)))
    assert most * 0.9 < len(mail.links) <= most
    assert len(mail.html or mail.text) > size * 0.93


def test_equal_links_are_one() -> None:
    assert rich("<a href=u>Confirm</a> <a href=u>Confirm here</a>").link("confirm") == "u"


def test_a_link_that_is_not_there() -> None:
    with pytest.raises(MailAssertionError) as failure:
        rich("<a href=https://a.test>Help</a>").link("Confirm")
    assert "no link of <Message 'Welcome, Bob' from" in str(failure.value)
    assert "has 'Confirm' in its text. The links are:\n  'Help' -> https://a.test" in str(failure.value)
    with pytest.raises(MailAssertionError, match="There is no link in it at all"):
        view("none").link("Confirm")


def test_several_links() -> None:
    with pytest.raises(MailAssertionError) as failure:
        rich("<a href=u>Confirm</a> <a href=v>Confirm</a><a href=w>no</a>").link("confirm")
    assert "several links" in str(failure.value)
    assert "'Confirm' -> u\n  'Confirm' -> v" in str(failure.value)
    assert "-> w" not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is 482911.", "482911"),
        ("482911 is your verification code", "482911"),
        ("Your PIN: 4711", "4711"),
        ("Your code:\n\n    123 456\n\nIt is valid for 10 minutes.", "123456"),
        ("Use 123-456 as your one-time password.", "123456"),
        ("G-482911 is your Shop verification code.", "482911"),
        ("Your passcode is A7K9QX", "A7K9QX"),
        ("Your code: XKQPZT", "XKQPZT"),
        ("Recovery code: ABCD-1234-EFGH", "ABCD-1234-EFGH"),
        ("Ihr Bestätigungscode lautet 482911", "482911"),
        (
            "© 2024 Shop. Your code is 482911. Order 12345678, call +49 30 1234567, pay €1299 or 4500 EUR.",
            "482911",
        ),
        ("Order number: 55512345\nCode: 9876\n17.05.2024 10:30", "9876"),
        ("Your code is 2024", "2024"),
        ("Please enter 482911", "482911"),
        ("Your code 482911, ask for help at https://x.test/123456 or 1234567@x.test", "482911"),
        ("Your code is 482911. If it was not you, tell us and name the request 555777 there.", "482911"),
        ("Code 482911. Again: 482911", "482911"),
        ("Your zip code 12345 is on file. Your code is 482911", "482911"),
    ],
)
def test_codes(text: str, code: str) -> None:
    assert view(text + "\n").code() == code


def test_a_code_of_known_length() -> None:
    assert view("Code 1234 or code 123456\n").code(length=6) == "123456"
    assert view("Code 123\n").code(length=3) == "123"


def test_a_code_in_the_subject() -> None:
    assert view("Hello\n", subject="482911 is your code").code() == "482911"


@pytest.mark.parametrize(
    "text",
    [
        "Hello, nothing here.",
        "In 2024, order 12345678 cost $1299.",
        "YOUR CODE IS HERE",
        "call 555-123-4567",
        "",
        "12.05.2024",
    ],
)
def test_no_code(text: str) -> None:
    with pytest.raises(MailAssertionError, match=r"no code was found in <Message 'Hello'"):
        view(text).code()


def test_two_codes() -> None:
    with pytest.raises(MailAssertionError) as failure:
        view("Code 123456 or code 654321\n").code()
    assert "it is not plain which code of <Message" in str(failure.value)
    assert "candidates: '123456', '654321'" in str(failure.value)
    with pytest.raises(MailAssertionError, match="no code of 5 characters"):
        view("Code 123456\n").code(length=5)


def test_candidates_far_from_any_word_have_no_distance() -> None:
    assert [tuple(one) for one in candidates("Enter 482911")] == [("482911", None)]


@pytest.mark.parametrize("raw", samples.malformed().values(), ids=list(samples.malformed()))
def test_malformed_messages_raise_nothing(raw: bytes) -> None:
    mail = MessageView(raw)
    for name in dir(MessageView):
        if not name.startswith("__") and name not in ("link", "code"):
            getattr(mail, name)


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<a ",
        "<a href='",
        '<a x="',
        "</",
        "<?",
        "<![",
        "<script>",
        "&",
        "http://(",
        "code 1",
        '"\\',
        "((",
        "=?a?q?",
        "=?a?q?=",
        "=?a?q?x?",
        " . ",
        "<a:",
        "<http://a\n",
    ],
)
@pytest.mark.timeout(20)
def test_hostile_repetition_costs_no_more_than_its_length(piece: str) -> None:
    # Anything quadratic would run into the time limit here.
    text = piece * (100_000 // len(piece))
    raw = (
        b"From: "
        + text.encode()
        + b"\r\nContent-Type: text/html; x="
        + text.encode()
        + b"\r\n\r\n"
        + text.encode()
    )
    mail = MessageView(raw)
    assert isinstance(mail.text, str)
    assert isinstance(mail.from_, list)
    assert isinstance(bare_links(text), list)
    assert isinstance(candidates(text), list)


HOSTILE = "\x1b[31mred\x9b\u202e\x07"
HARMLESS = r"\x1b[31mred\x9b\u202e\x07"


def test_what_fails_shows_no_terminal_its_orders() -> None:
    text = f"A line\n{HOSTILE}\nhttps://example.com/{HOSTILE}"
    mail = view(text)
    with pytest.raises(MailAssertionError) as no_code:
        mail.code()
    assert HARMLESS in str(no_code.value)
    assert "A line\n" in str(no_code.value)
    page = rich(f'<a href="https://example.com/{HOSTILE}">Confirm {HOSTILE}</a>')
    with pytest.raises(MailAssertionError) as no_link:
        page.link("Nothing")
    assert "https://example.com/" in str(no_link.value)
    for told in (no_code, no_link):
        assert all(char.isprintable() or char == "\n" for char in str(told.value))


def test_what_fails_is_not_endless() -> None:
    page = rich(
        "".join(f'<a href="https://example.com/{at}/{"x" * 50_000}">{"y" * 50_000}</a>' for at in range(40))
    )
    with pytest.raises(MailAssertionError) as caught:
        page.link("Nothing")
    assert len(str(caught.value)) < 20_000
    assert str(caught.value).endswith("and 20 more")


def _report(groups: bytes) -> MessageView:
    return MessageView(
        b'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nSorry\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + groups + b"\r\n--b--\r\n"
    )


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_report_about_many_is_read_in_one_pass(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from fakemail.message.reports import dsn

    searched = 0

    class Counting:
        """The pattern that finds blank lines, counting the octets that it walks over."""

        def search(self, content: bytes, at: int) -> object:
            nonlocal searched
            match = pattern.search(content, at)
            searched += (len(content) if match is None else match.end()) - at
            return match

    pattern = dsn._BLANK_LINES
    monkeypatch.setattr(dsn, "_BLANK_LINES", Counting())
    groups = b"Reporting-MTA: dns; mx.test" + end * 3
    groups += (b"Final-Recipient: rfc822; a@b.test" + end + b"Action: failed" + end * 2) * 5_000
    mail = _report(groups)
    found = mail.delivery_report
    assert found is not None
    assert found.reporting_host == "mx.test"
    assert len(found.recipients) == 5_000
    assert {each.recipient for each in found.recipients} == {"a@b.test"}
    assert searched <= len(mail.raw)


def test_header_fields_are_asked_for_by_name() -> None:
    mail = MessageView(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Kind: a\r\nX-KIND: b\r\n\r\n")
    assert (mail["subject"], mail["X-Kind"]) == ("Grüße", "a")
    assert "SUBJECT" in mail
    assert "To" not in mail
    with pytest.raises(KeyError, match="no header field 'To'; there are Subject, X-Kind, X-KIND"):
        mail["To"]
    with pytest.raises(KeyError, match="there are none at all"):
        MessageView(b"\r\n")["To"]
    with pytest.raises(TypeError, match="by name"):
        mail[0]


def test_the_same_as_a_message_of_the_standard_library() -> None:
    mail = MessageView(samples.inline_picture(subject="Grüße"))
    read = mail.as_email()
    assert type(read) is EmailMessage
    assert read["Subject"] == "Grüße"
    assert read.get_body(("html",)).get_content().startswith("<p>Look")
    read.replace_header("Subject", "Other")
    assert mail.as_email()["Subject"] == "Grüße"


def test_a_reply_is_in_the_thread_of_what_it_answers() -> None:
    first = MessageView(samples.plain())
    second = MessageView(samples.reply())
    third = MessageView(samples.reply(second.raw, subject="Re: Re: Hello"))
    assert second.in_reply_to == first.message_id
    assert third.references == [first.message_id, second.message_id]
    assert MessageView(samples.reply(b"Subject: x\r\n\r\n")).in_reply_to == ""


def test_a_forwarded_message_has_the_whole_original() -> None:
    mail = MessageView(samples.forwarded(samples.html()))
    assert mail.text == "Do you know them?\n"
    assert [each.content for each in mail.attachments] == [samples.html()]


def test_an_invitation_is_for_a_calendar() -> None:
    mail = MessageView(samples.invitation(to=["a@b.test", "c@d.test"]))
    (calendar,) = mail.attachments
    assert calendar.content_type == "text/calendar"
    assert "DTSTART:20240520T093000Z" in calendar.text
    assert calendar.text.count("ATTENDEE") == 2
    assert "20 May 2024, 09:30 UTC" in mail.text


def test_a_code_and_a_post_to_a_list() -> None:
    assert MessageView(samples.code(code="112233")).code() == "112233"
    assert MessageView(samples.list_post())["List-Id"] == "Friends <friends.lists.example.net>"
