"""Random octets raise nothing; what the standard library builds is read back equal; offsets nest."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.errors import MailAssertionError
from fakemail.message.decoding import decode_words
from fakemail.message.headers import body_offset, split_fields
from fakemail.message.html_text import read_html
from fakemail.message.message import MessageView
from fakemail.message.mime import Part, parse
from fakemail.message.trace import complete, count_received, received

_PIECES = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b":", b";", b"=", b'"', b"\\", b"(", b")", b"<", b">",
        b"@", b",", b"?=", b"=?utf-8?q?=C3?=", b"=?x?b?A?=", b"Subject: ", b"From: ", b"To: ", b"Date: ",
        b"Message-ID: ", b"References: ", b"Content-Type: ", b"multipart/mixed", b"multipart/digest", b"message/rfc822",
        b"text/html", b"text/plain", b"; boundary=b", b"; charset=", b"utf-7", b"punycode", b"idna", b"; name*0*=",
        b"; filename*=", b"--b", b"--b--", b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable",
        b"Content-Disposition: ",
        b"attachment", b"<a href=", b"<!--", b"<![", b"&#xD800;", b"</a>", b"http://", b"code 123456", b"2024", b"%FF",
    ]
)  # fmt: skip
_GARBAGE = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(_PIECES, st.binary(max_size=4)), max_size=60).map(b"".join)
)
_PROPERTIES = [
    name for name in dir(MessageView) if not name.startswith("__") and name not in ("link", "code")
]
_LINES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]),
    max_size=40,
)
_TEXT = st.lists(_LINES, max_size=6).map(lambda lines: "".join(line + "\n" for line in lines))
_WHEN = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)


@given(_GARBAGE)
@settings(max_examples=75, deadline=None)
def test_garbage_raises_nothing(raw: bytes) -> None:
    mail = MessageView(raw)
    for name in _PROPERTIES:
        value = getattr(mail, name)
        if isinstance(value, str):
            value.encode()
    for part in mail.root.walk():
        for name in ("text", "filename", "parameters", "content_id", "disposition", "lines"):
            getattr(part, name)
    for attachment in [*mail.attachments, *mail.inline]:
        assert repr(attachment)
    assert repr(mail)
    for ask in (mail.code, lambda: mail.link("x")):
        with contextlib.suppress(MailAssertionError):
            ask()


@given(_GARBAGE)
@settings(max_examples=75, deadline=None)
def test_a_child_lies_inside_its_parent(raw: bytes) -> None:
    def check(part: Part) -> None:
        assert 0 <= part.header_start <= part.body_start <= part.end <= len(raw)
        last = part.body_start
        for child in part.children:
            assert last <= child.header_start
            assert child.end <= part.end
            last = child.end
            check(child)

    check(parse(raw))


@given(_GARBAGE)
@settings(max_examples=50, deadline=None)
def test_fields_are_where_they_say(raw: bytes) -> None:
    end = body_offset(raw)
    assert 0 <= end <= len(raw)
    last = 0
    for field in split_fields(raw, 0, end):
        assert last <= field.start < field.end <= end
        assert raw[field.start : field.end].startswith(field.name.encode())
        assert raw[field.start : field.end].endswith(field.raw)
        last = field.end


@given(_GARBAGE)
@settings(max_examples=50, deadline=None)
def test_completing_alters_nothing_and_settles(raw: bytes) -> None:
    done = complete(raw, date=_WHEN, message_id="<1@a.test>")
    assert done.endswith(raw)
    mail = MessageView(done)
    assert "Date" in mail.headers
    assert "Message-ID" in mail.headers
    assert complete(done, date=_WHEN, message_id="<2@a.test>") == done
    assert count_received(done) == len(mail.headers.all("Received"))


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_client_writes_a_field_of_its_own(helo: str, name: str) -> None:
    field = received(
        helo=helo, client_name=name, client_ip="::1", by="mx.test", date=_WHEN, queue_id="Q1", tls=name
    )
    assert field.endswith(b"\r\n")
    assert [one.name for one in split_fields(field)] == ["Received"]
    assert field.count(b";") == 1


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_text_without_encoded_words_stays(text: str) -> None:
    if "=?" not in text:
        assert decode_words(text) == text


@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                "a",
                "<a href=",
                '"',
                "'",
                "<p>",
                "</",
                "<!--",
                "-->",
                "&amp;",
                "<pre>",
                " ",
                "x",
                "=",
                "/",
                "</a>",
                "<script>",
            ]
        )
    ).map("".join)
)
@settings(max_examples=75, deadline=None)
def test_any_html_can_be_read(html: str) -> None:
    read_html(html)


@given(
    subject=_LINES,
    text=_TEXT,
    html=_TEXT,
    files=st.lists(st.tuples(_LINES, st.binary(max_size=100)), max_size=3),
    cte=st.sampled_from(["base64", "quoted-printable", "8bit"]),
)
@settings(max_examples=60, deadline=None)
def test_what_the_standard_library_writes_is_read_back(
    subject: str, text: str, html: str, files: list[tuple[str, bytes]], cte: str
) -> None:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = "Bob <bob@example.org>"
    message["To"] = "ann@example.org, c@d.test"
    message.set_content(text, cte=cte)
    message.add_alternative(html, subtype="html", cte=cte)
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="x-thing", filename=name)
    mail = MessageView(message.as_bytes())
    assert mail.subject == subject
    assert mail.sender == "bob@example.org"
    assert mail.to == ["ann@example.org", "c@d.test"]
    assert mail.text == (text or "\n")
    assert mail.html == (html or "\n")
    assert [(file.filename, file.content) for file in mail.attachments] == files
