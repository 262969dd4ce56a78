"""Octets to text and content: charsets, encoded-words, base64 and quoted-printable.

Everything in here survives everything: wrong input gives the best text there is, never an error.
No header or MIME structure lives here.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_LINE_END = re.compile(rb"\r?\n")
# RFC 2047 §2: encoded-word = "=?" charset "?" encoding "?" encoded-text "?="; the language suffix of the
# charset is RFC 2231 §5. Spaces inside the encoded text are wrong and common.
ENCODED_WORD: Final = re.compile(r"=\?([^?\s*]{1,80})(?:\*[^?\s]{0,80})?\?([bBqQ])\?([^?]*)\?=")

# Names seen in mail that Python spells otherwise, and sets that mailers name by their subset.
_CHARSET_ALIASES: Final = {
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "x-gbk": "gb18030",
    "gb2312": "gb18030",
    "x-mac-roman": "mac-roman",
    "unicode-1-1-utf-8": "utf-8",
}
# Python codecs that are no charsets, or whose cost grows faster than their input.
_NOT_CHARSETS: Final = frozenset(
    {
        "punycode",
        "idna",
        "unicode_escape",
        "unicodeescape",
        "raw_unicode_escape",
        "rawunicodeescape",
        "undefined",
    }
)
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))


def guess(data: bytes) -> str:
    """Text of octets that name no charset: UTF-8 (RFC 6532) when it is that, else Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def charset_text(data: bytes, charset: str) -> str:
    """Text of octets in a named charset; a charset that is unknown, or wrong for them, is guessed."""
    name = charset.strip().lower()
    if name in ("", "us-ascii", "ascii", "utf-8", "utf8") or name.replace("-", "_") in _NOT_CHARSETS:
        return guess(data)
    name = _CHARSET_ALIASES.get(name, name)
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        return guess(data)
    # UTF-7 can spell lone surrogates, which no other program could write out.
    return text.encode("utf-8", "replace").decode("utf-8") if "7" in name else text


def base64_content(data: bytes) -> bytes:
    """Content of base64 octets (RFC 2045 §6.8); strange characters and wrong padding are passed over."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = data.translate(None, delete=_NOT_BASE64)
    if len(kept) % 4 == 1:
        kept = kept[:-1]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def transfer_content(data: bytes, encoding: str) -> bytes:
    """Content of a body in a Content-Transfer-Encoding (RFC 2045 §6); an unknown one is the identity."""
    if encoding == "base64":
        return base64_content(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data


def unfold(raw: bytes) -> str:
    """A field body on one line (RFC 5322 §2.2.3), as text, encoded-words left as they are."""
    return guess(_LINE_END.sub(b"", raw) if b"\n" in raw else raw).strip(" \t\r\n")


def decode_words(text: str) -> str:
    """Replace the encoded-words of a text (RFC 2047).

    White space between two of them vanishes (§6.2). Neighbours in one charset are joined before they
    are decoded, because many mailers cut inside a character.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: list[bytes] = []
    charset = ""
    end = 0
    for word in ENCODED_WORD.finditer(text):
        between = text[end : word.start()]
        new_charset = word[1].lower()
        if pending and (new_charset != charset or (between and not between.isspace())):
            out.append(charset_text(b"".join(pending), charset))
            pending.clear()
        if between and not (end and between.isspace()):
            out.append(between)
        charset = new_charset
        pending.append(_word_content(word[2], word[3]))
        end = word.end()
    if pending:
        out.append(charset_text(b"".join(pending), charset))
    out.append(text[end:])
    return "".join(out)


def field_text(raw: bytes) -> str:
    """A field body for people: unfolded, encoded-words and raw UTF-8 or Latin-1 decoded."""
    return decode_words(unfold(raw))


def _word_content(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        return base64_content(data)
    # RFC 2047 §4.2: "_" is a space whatever the charset.
    return binascii.a2b_qp(data, header=True)
