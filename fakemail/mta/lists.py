"""What a mailing list does to a message: its fields, its subject, its footer (RFC 2369, RFC 2919, RFC 8058).

It breaks the DKIM signature of the author as real lists do: the Subject and the body are no longer theirs.
"""

from __future__ import annotations

import re
from email.header import Header
from typing import Final

from fakemail.mail.headers import Field, Headers, body_offset, split_fields
from fakemail.mail.mime import parse
from fakemail.model.mailing_list import MailingList

# Fields that the list writes itself, and those that are no longer true.
_OWN: Final = re.compile(r"list-.*|precedence|subject|return-path|errors-to", re.IGNORECASE)
_CONTENT: Final = re.compile(r"content-.*|mime-version", re.IGNORECASE)


def is_looping(headers: Headers, mailing_list: MailingList) -> bool:
    """Whether a message has been through the list already."""
    mark = list_id(mailing_list)
    return any(mark in (field.text or "") for field in headers.fields_named("List-Id")) or any(
        field.text.strip().lower() == mailing_list.address.key for field in headers.fields_named("X-Loop")
    )


def list_id(mailing_list: MailingList) -> str:
    """The identifier of a list, in its angle brackets (RFC 2919 §3)."""
    local = re.sub(r"[^A-Za-z0-9-]", "-", mailing_list.address.local)
    return f"<{local}.{mailing_list.address.domain}>"


def unsubscribe_url(mailing_list: MailingList) -> str:
    """Where a member leaves the list by one click (RFC 8058 §3.1); nobody answers there."""
    return f"https://{mailing_list.address.domain}/unsubscribe/{mailing_list.address.local}"


def rewrite(raw: bytes, mailing_list: MailingList) -> bytes:
    """The message as it goes to the members."""
    end = body_offset(raw)
    fields = split_fields(raw, 0, end)
    headers = Headers(fields)
    footer = _footer(mailing_list)
    kept = [field for field in fields if not _OWN.fullmatch(field.name)]
    own = _own_fields(mailing_list, headers.get("Subject", ""))
    body = raw[end:]
    if not footer:
        return _head(kept) + own + b"\r\n" + body
    kind = parse(raw)
    encoding = (headers.get("Content-Transfer-Encoding") or "7bit").strip().lower()
    if (
        kind.content_type == "text/plain"
        and encoding in ("7bit", "8bit", "quoted-printable")
        and kind.disposition != "attachment"
    ):
        text = footer.replace("=", "=3D") if encoding == "quoted-printable" else footer
        return _head(kept) + own + b"\r\n" + _with_line_end(body) + text.encode("ascii", "replace")
    # Whatever else it is becomes the first part of a multipart, and the footer the second.
    content = [field for field in kept if _CONTENT.fullmatch(field.name)]
    outer = [field for field in kept if not _CONTENT.fullmatch(field.name)]
    mark = _boundary(raw)
    inner = [field for field in content if field.name.lower() != "mime-version"]
    return b"".join(
        [
            _head(outer),
            own,
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/mixed; boundary="{mark}"\r\n\r\n'.encode(),
            f"--{mark}\r\n".encode(),
            _head(inner) + b"\r\n" + body,
            f"\r\n--{mark}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n".encode(),
            footer.encode("ascii", "replace"),
            f"--{mark}--\r\n".encode(),
        ]
    )


def _own_fields(mailing_list: MailingList, subject: str) -> bytes:
    address, title = mailing_list.address, mailing_list.title
    prefix = f"[{title}]" if mailing_list.prefix is None else mailing_list.prefix
    if prefix and prefix.lower() not in subject.lower():
        subject = f"{prefix} {subject}"
    leave = f"<{unsubscribe_url(mailing_list)}>, <mailto:{mailing_list.role('unsubscribe')}>"
    rows = [
        ("Subject", _encoded(subject)),
        ("List-Id", f"{_encoded(title)} {list_id(mailing_list)}"),  # RFC 2919 §3
        ("List-Post", f"<mailto:{address}>"),  # RFC 2369 §3.4
        ("List-Unsubscribe", leave),  # RFC 2369 §3.2
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),  # RFC 8058 §3.1
        ("List-Owner", f"<mailto:{mailing_list.role('owner')}>"),
        ("Precedence", "list"),
        ("X-Loop", str(address)),
    ]
    return "".join(f"{name}: {value}\r\n" for name, value in rows).encode("utf-8", "replace")


def _footer(mailing_list: MailingList) -> str:
    if mailing_list.footer is not None:
        text = mailing_list.footer
    else:
        text = f"This is the list {mailing_list.title}.\nTo leave it: {unsubscribe_url(mailing_list)}"
    if not text:
        return ""
    lines = "\r\n".join(text.splitlines())
    return f"_______________________________________________\r\n{lines}\r\n"


def _head(fields: list[Field]) -> bytes:
    return b"".join(field.name.encode() + b":" + field.raw + b"\r\n" for field in fields)


def _with_line_end(body: bytes) -> bytes:
    return body if not body or body.endswith(b"\n") else body + b"\r\n"


def _boundary(raw: bytes) -> str:
    number = 0
    while (mark := f"=_list_{number}").encode() in raw:
        number += 1
    return mark


def _encoded(text: str) -> str:
    title = " ".join(text.split())
    return title if title.isascii() else Header(title, "utf-8", header_name="Subject").encode(linesep="\r\n")
