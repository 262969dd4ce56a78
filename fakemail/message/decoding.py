"""Bytes to text and content: charsets, encoded-words, base64 and quoted-printable.

Everything in here survives everything: wrong input gives the best text there is, never an error.
No header or MIME structure lives here.
"""

from __future__ import annotations

import binascii
import codecs
import re
from functools import lru_cache
from typing import Final

_LINE_END = re.compile(rb"\r?\n")
# RFC 2047 §2: encoded-word = "=?" charset "?" encoding "?" encoded-text "?="; the language suffix of the
# charset is RFC 2231 §5. Spaces, question marks and 8-bit bytes inside the encoded text are wrong and common.
ENCODED_TEXT: Final = r"(?:[^?=]|=(?!\?(?!=))|\?(?!=))*+"
_ENCODED_WORD: Final = re.compile(
    rb"=\?([^?\s*]{1,80})(?:\*[^?\s]{0,80})?\?([bBqQ])\?(" + ENCODED_TEXT.encode() + rb")\?="
)
# RFC 2045 §6.7 rule 3: white space at the end of a line was added on the way, behind a soft line break too.
_PADDING: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")

# Charsets whose name mailers use for a larger one, as browsers read them (WHATWG Encoding §4.2): by Python's name.
_LARGER: Final = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
# What neither Python nor a rule below knows.
_ALIASES: Final = {
    "ks_c_5601-1989": "cp949",
    "windows-31j": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "x-mac-roman": "mac-roman",
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
    """Text of bytes that name no charset: UTF-8 (RFC 6532) when it is that, else Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def charset_text(data: bytes, charset: str) -> str:
    """Text of bytes in a named charset; a charset that is unknown, or wrong for them, is guessed."""
    name = _codec(charset)
    if not name:
        return guess(data)
    try:
        text = data.decode(name, "strict" if name == "cp1252" else "replace")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # bytes that Windows has no character for
    except (LookupError, ValueError):
        return guess(data)
    # UTF-7 can spell lone surrogates, which no other program could write out.
    return text.encode("utf-8", "replace").decode("utf-8") if name == "utf-7" else text


@lru_cache(maxsize=128)
def _codec(charset: str) -> str:
    """Python's name for a charset; ``""`` where text is guessed: unknown ones, and those that need no name."""
    name = charset.strip(" \t\"',;").lower()
    # x-sjis, x-windows-949, iso-8859-8-i: names of others for what Python knows.
    bare = name.removeprefix("x-").removesuffix("-i").removesuffix("-e")
    for known in (_ALIASES.get(name, name), bare, bare.replace("windows-", "cp"), bare.replace("cp-", "cp")):
        try:
            found = codecs.lookup(known).name
        except (LookupError, ValueError):
            continue
        if found in ("ascii", "utf-8") or found.replace("-", "_") in _NOT_CHARSETS:
            return ""
        return _LARGER.get(found, found)
    return ""


def base64_content(data: bytes) -> bytes:
    """Content of base64 bytes (RFC 2045 §6.8); strange characters and wrong padding are passed over."""
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
        return binascii.a2b_qp(_PADDING.sub(b"", data))
    return data


def unfolded(raw: bytes) -> bytes:
    """A field body on one line (RFC 5322 §2.2.3), white space around it removed."""
    return (_LINE_END.sub(b"", raw) if b"\n" in raw else raw).strip(b" \t\r\n")


def unfold(raw: bytes) -> str:
    """A field body on one line, as text, encoded-words left as they are."""
    return guess(unfolded(raw))


def decode_words(text: str) -> str:
    """Replace the encoded-words of a text (RFC 2047), which may have been read with ``surrogateescape``."""
    if text.isascii() and "=?" not in text:
        return text
    return _decoded(text.encode("utf-8", "surrogateescape"))


def field_text(raw: bytes) -> str:
    """A field body for people: unfolded, encoded-words and raw UTF-8 or Latin-1 decoded."""
    return _decoded(unfolded(raw))


def _decoded(data: bytes) -> str:
    """Bytes with encoded-words as text.

    White space between two of them vanishes (§6.2). Neighbours in one charset are joined before they
    are decoded, because many mailers cut inside a character. Bytes inside of one are in its charset.
    """
    if b"=?" not in data:
        return guess(data)
    out: list[str] = []
    pending: list[bytes] = []
    charset = b""
    end = 0
    for word in _ENCODED_WORD.finditer(data):
        between = data[end : word.start()]
        new_charset = word[1].lower()
        if pending and (new_charset != charset or (between and not between.isspace())):
            out.append(charset_text(b"".join(pending), guess(charset)))
            pending.clear()
        if between and not (end and between.isspace()):
            out.append(guess(between))
        charset = new_charset
        pending.append(_word_content(word[2], word[3]))
        end = word.end()
    if pending:
        out.append(charset_text(b"".join(pending), guess(charset)))
    out.append(guess(data[end:]))
    return "".join(out)


def _word_content(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"bB":
        return base64_content(text)
    # RFC 2047 §4.2: "_" is a space whatever the charset.
    return binascii.a2b_qp(text, header=True)
