"""Messages for servers that know no 8BITMIME (RFC 6152 §3)."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakemail.message.downgrade import to_seven_bit

HEAD = b"From: a@shop.test\r\nSubject: x\r\n"
PLAIN = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def bodies(raw: bytes) -> list[bytes]:
    return [part.get_payload(decode=True) for part in read(raw).walk() if not part.is_multipart()]  # type: ignore[misc]


def test_text_becomes_quoted_printable() -> None:
    raw = HEAD + PLAIN + "\r\nGrüße,\r\nBob \r\n".encode()
    seven = to_seven_bit(raw)
    assert seven == HEAD + PLAIN.replace(b"8bit", b"quoted-printable") + b"\r\nGr=C3=BC=C3=9Fe,\r\nBob=20\r\n"
    assert bodies(seven) == bodies(raw)


def test_what_is_ascii_already_stays_octet_by_octet() -> None:
    raw = HEAD + b"\r\nHello, a=b \r\n.\r\n"
    assert to_seven_bit(raw) == raw


def test_text_of_an_unknown_charset_says_so() -> None:
    seven = to_seven_bit(HEAD + b"\r\nGr\xfc\xdfe\r\n")
    assert seven is not None
    assert read(seven)["Content-Type"] == 'text/plain; charset="unknown-8bit"'
    assert read(seven)["MIME-Version"] == "1.0"
    assert bodies(seven) == [b"Gr\xfc\xdfe\r\n"]


def test_a_body_without_a_header_gets_one() -> None:
    seven = to_seven_bit(b"Gr\xfc\xdfe, all\r\n")
    assert seven is not None
    assert seven.isascii()
    assert bodies(seven) == [b"Gr\xfc\xdfe, all\r\n"]


def test_each_part_is_encoded_by_what_it_is_and_containers_say_so() -> None:
    raw = (
        HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\npr\xc3\xa9amble\r\n"
        b"--x\r\n\r\nplain\r\n"
        b"--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>\xc3\xa4\r\n"
        b"--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\xff\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + HEAD
        + PLAIN
        + b"\r\n\xc3\xb6\r\n--x--\r\nepil\xc3\xb6gue\r\n"
    )
    seven = to_seven_bit(raw)
    assert seven is not None
    assert seven.isascii()
    assert bodies(seven) == bodies(raw)
    encodings = [part.get("Content-Transfer-Encoding") for part in read(seven).walk()]
    assert encodings == ["7bit", None, "quoted-printable", "base64", "7bit", "quoted-printable"]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: message/partial; id=x\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n",
    ],
    ids=["message", "multipart without a boundary", "encoded already, and broken"],
)
def test_what_must_not_be_encoded(head: bytes) -> None:
    assert to_seven_bit(HEAD + head + b"\r\n\xc3\xb6\r\n") is None


lines = st.lists(st.binary(max_size=100).map(lambda line: line.translate(None, b"\r")), max_size=6)
texts = lines.map(lambda each: b"".join(line + b"\r\n" for line in each))


@given(texts, st.sampled_from([b"text/plain", b"application/x", b"text/html; charset=latin-1"]))
def test_any_body_survives(body: bytes, type: bytes) -> None:
    raw = HEAD + b"MIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n%s" % (type, body)
    seven = to_seven_bit(raw)
    assert seven is not None
    assert seven.isascii()
    assert bodies(seven) == [body]
    assert max(map(len, seven.split(b"\r\n")), default=0) <= max(998, *(map(len, raw.split(b"\r\n"))))


@given(st.binary(max_size=200))
@example(b"\n\x80\x00")  # a blank line that is a lone LF
def test_garbage_is_converted_or_given_up(raw: bytes) -> None:
    seven = to_seven_bit(raw)
    # Once more changes nothing: what could be encoded has been.
    assert seven is None or to_seven_bit(seven) == seven


@pytest.mark.parametrize("blank", [b"\r\n", b"\n", b""])
def test_the_encoding_is_named_at_the_end_of_any_header(blank: bytes) -> None:
    seven = to_seven_bit(HEAD + blank + "Grüße\r\n".encode())
    assert seven is not None
    assert seven.startswith(HEAD + b"MIME-Version: 1.0\r\n")
    assert seven.endswith(b"Content-Transfer-Encoding: quoted-printable\r\n" + blank + b"Gr=C3=BC=C3=9Fe\r\n")
