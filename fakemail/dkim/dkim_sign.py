"""Makes DKIM signatures (RFC 6376 §5): a header field for bytes, a key and the time, and nothing else.

dkimpy would do the same, but signs with RSA written in Python; here OpenSSL does it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from fakemail.dkim.canonicalization import BODY, FieldStack, signed_header, with_crlf
from fakemail.dkim.keys import Key
from fakemail.message.headers import Field, body_offset, split_fields
from fakemail.model.dkim import Dkim

_USUAL_FIELDS: Final = re.compile(
    r"from|reply-to|sender|subject|date|message-id|to|cc|in-reply-to|references|mime-version|content-.*"
    r"|resent-(?!bcc).*|list-.*",
    re.IGNORECASE,
)
"""Header fields that are signed by default (RFC 6376 §5.4.1, RFC 8058 §4)."""
_WIDTH: Final = 72


def sign(raw: bytes, how: Dkim, *, domain: str, key: Key, now: datetime | None) -> bytes:
    """The DKIM-Signature field of a message, with its line end, to be put in front of it.

    ``raw`` has CRLF line ends, see :func:`~fakemail.dkim.canonicalization.with_crlf`. ``now`` becomes ``t=`` and
    counts for ``x=``; without it the signature has neither.
    """
    in_header, _, in_body = how.canonicalization.partition("/")
    start = body_offset(raw)
    fields = split_fields(raw, 0, start)
    body = BODY[in_body](raw[start:])
    names = chosen(fields, how)
    what = ["v=1", f"a={key.signs_as}", f"c={how.canonicalization}"]
    when = [*_times(how, now), *([f"l={len(body)}"] if how.body_length else [])]
    rows = [what, [f"d={domain}", f"s={how.selector}", *when], [f"h={folded_names(names)}"]]
    bh = b64encode(sha256(body).digest()).decode()
    head = "DKIM-Signature: " + "".join([f"{'; '.join(row)};\r\n\t" for row in rows])
    return seal(raw, fields, names, f"{head}bh={bh};\r\n\tb=".encode(), key=key, canonicalization=in_header)


def signatures(raw: bytes, by: Iterable[tuple[Dkim, Key]], *, domain: str, now: datetime | None) -> bytes:
    """A signature for each key, to be put in front of a message, whose line ends may be of any kind."""
    raw = with_crlf(raw)
    return b"".join([sign(raw, how, domain=domain, key=key, now=now) for how, key in by])


def seal(
    raw: bytes,
    fields: tuple[Field, ...],
    names: Iterable[str],
    head: bytes,
    *,
    key: Key,
    canonicalization: str,
) -> bytes:
    """A field that ends with ``b=``, completed with the signature over the named fields and itself (§3.7)."""
    data = signed_header(FieldStack(raw, fields).select(names), head, canonicalization)
    return head + fold_base64(key.sign(data)) + b"\r\n"


def fold_base64(data: bytes) -> bytes:
    """Base64 in folded lines, which white space does not change (RFC 6376 §3.2, base64string)."""
    text = b64encode(data)
    return b"\r\n\t ".join([text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)])


def chosen(fields: tuple[Field, ...], how: Dkim) -> tuple[str, ...]:
    """The names for ``h=``: each as often as it stands there, and once more where it is oversigned."""
    if how.headers:
        wanted = {name.lower() for name in how.headers}
        names = [field.name.lower() for field in fields if field.name.lower() in wanted]
    else:
        names = [field.name.lower() for field in fields if _USUAL_FIELDS.fullmatch(field.name)]
    return (*names, *(name.lower() for name in how.oversign))


def _times(how: Dkim, now: datetime | None) -> Iterator[str]:
    if now is not None:
        yield f"t={int(now.timestamp())}"
        if how.expires is not None:
            yield f"x={int((now + how.expires).timestamp())}"


@lru_cache(maxsize=64)
def folded_names(names: tuple[str, ...]) -> str:
    """The value of ``h=``, folded between names."""
    text = ":".join(names)
    return re.sub(rf"(.{{1,{_WIDTH}}}:)(?=.)", "\\1\r\n\t ", text) if len(text) > _WIDTH else text
