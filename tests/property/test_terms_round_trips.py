"""What the terms print, they can read."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fakemail.errors import DeclarationError, ProtocolError
from fakemail.types.address import Address, address
from fakemail.types.reply import Reply, read_reply

# Octets that are no UTF-8 come in as surrogate escapes, and must go out as the same octets.
line_texts = st.binary(max_size=40).map(
    lambda octets: re.sub(rb"[\r\n]", b"", octets).decode("utf-8", "surrogateescape")
)
texts = st.lists(line_texts, min_size=1, max_size=4).map("\n".join)
locals_ = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True) | st.sampled_from(["bücher"])


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    code = draw(st.integers(2, 5)) * 100 + draw(st.integers(0, 59))
    if draw(st.booleans()) and code // 100 != 3:
        number = st.integers(0, 999)
        return Reply(code, f"{code // 100}.{draw(number)}.{draw(number)}", draw(texts))
    # A text that starts like an enhanced code is read as one, rightly.
    return Reply(code, None, draw(texts.filter(lambda text: not re.match(r"[245]\.", text))))


@given(replies())
def test_reply_comes_back_from_the_wire(reply: Reply) -> None:
    assert reply.wire.endswith(b"\r\n")
    read = read_reply(reply.wire.removesuffix(b"\r\n").split(b"\r\n"))
    assert (read.code, read.enhanced, read.text) == (reply.code, reply.enhanced, reply.text)


@given(st.lists(st.binary(max_size=20) | st.from_regex(rb"[2-5][0-9]{2}[ -].{0,9}", fullmatch=True)))
def test_any_lines_are_a_reply_or_a_protocol_error(lines: list[bytes]) -> None:
    try:
        reply = read_reply(lines)
    except ProtocolError:
        return
    assert len(reply.lines) == len(lines)


@given(locals_, st.lists(labels, min_size=1, max_size=4).map(".".join))
def test_address_comes_back_from_its_text(local: str, domain: str) -> None:
    written = Address(local, domain)
    assert address(str(written)) == written


@given(st.text(st.characters(), max_size=30) | st.from_regex(r'["a\\ ]{0,6}@[a.-]{0,6}'))
def test_any_text_is_an_address_or_a_declaration_error(text: str) -> None:
    try:
        read = address(text)
    except DeclarationError:
        return
    assert address(str(read)) == read
