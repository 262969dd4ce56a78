"""Modified UTF-7 against a reference written from RFC 3501 §5.1.3, one character at a time."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from fakemail.imap.syntax.utf7 import decode_utf7, encode_utf7

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
alphabet = st.text("&-+,/AaZ019é=~\x7f日", max_size=12)


def reference(name: str) -> str:
    """Collect runs of characters that need a shift, and write each run in base64 of UTF-16."""
    written, run = "", ""
    for character in [*name, None]:
        if character is not None and not 0x20 <= ord(character) <= 0x7E:
            run += character
            continue
        if run:
            coded = base64.b64encode(run.encode("utf-16-be"), altchars=b"+,").decode()
            written += "&" + coded.rstrip("=") + "-"
            run = ""
        if character is not None:
            written += "&-" if character == "&" else character
    return written


@given(names | alphabet)
def test_encoding_is_that_of_the_reference(name: str) -> None:
    assert encode_utf7(name) == reference(name)


@given(names | alphabet)
def test_names_come_back(name: str) -> None:
    assert decode_utf7(encode_utf7(name)) == name


@given(alphabet | st.text(st.characters(max_codepoint=255), max_size=12))
def test_each_name_has_one_spelling(written: str) -> None:
    try:
        name = decode_utf7(written)
    except ValueError:
        return
    assert reference(name) == written
