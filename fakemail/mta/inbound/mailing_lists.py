"""Changes that a mailing list makes in a message: fields, subject, footer (RFC 2369, RFC 2919, RFC 8058).

It breaks the DKIM signature of the author as real lists do: the Subject and the body are no longer theirs.
"""

from __future__ import annotations

import re
from email.header import Header
from typing import Final

from fakemail.message.headers import Headers, body_offset, split_fields
from fakemail.model.mailing_list import MailingListSpec
from fakemail.mta.inbound.alterations import add_footer, as_lines
from fakemail.types.address import address_key

# Fields that the list writes itself, and those that are no longer true.
_OWN: Final = re.compile(r"list-.*|precedence|subject|return-path|errors-to", re.IGNORECASE)


def is_looping(headers: Headers, mailing_list: MailingListSpec) -> bool:
    """Whether a message has been through the list already."""
    mark = list_id(mailing_list)
    return any(mark in (field.text or "") for field in headers.fields_named("List-Id")) or any(
        address_key(field.text.strip()) == mailing_list.address.key
        for field in headers.fields_named("X-Loop")
    )


def list_id(mailing_list: MailingListSpec) -> str:
    """The identifier of a list, in its angle brackets (RFC 2919 §3)."""
    local = re.sub(r"[^A-Za-z0-9-]", "-", mailing_list.address.local)
    return f"<{local}.{mailing_list.address.domain}>"


def unsubscribe_url(mailing_list: MailingListSpec) -> str:
    """The URL for leaving the list by one click (RFC 8058 §3.1); no server answers there."""
    return f"https://{mailing_list.address.domain}/unsubscribe/{mailing_list.address.local}"


def rewrite(raw: bytes, mailing_list: MailingListSpec) -> bytes:
    """The message as it goes to the members."""
    end = body_offset(raw)
    fields = split_fields(raw, 0, end)
    headers = Headers(fields)
    kept = [field for field in fields if not _OWN.fullmatch(field.name)]
    own = _own_fields(mailing_list, headers.get("Subject", ""))
    return add_footer(as_lines(kept) + own + b"\r\n" + raw[end:], _footer(mailing_list))


def _own_fields(mailing_list: MailingListSpec, subject: str) -> bytes:
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


def _footer(mailing_list: MailingListSpec) -> str:
    if mailing_list.footer is not None:
        text = mailing_list.footer
    else:
        text = f"This is the list {mailing_list.title}.\nTo leave it: {unsubscribe_url(mailing_list)}"
    if not text:
        return ""
    lines = "\r\n".join(text.splitlines())
    return f"_______________________________________________\r\n{lines}\r\n"


def _encoded(text: str) -> str:
    title = " ".join(text.split())
    return title if title.isascii() else Header(title, "utf-8", header_name="Subject").encode(linesep="\r\n")
