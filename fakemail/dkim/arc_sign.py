"""Seals messages: the three fields by which who passes mail on says how it came (RFC 8617 §5.1).

What was found when it came, and whether the chain so far is whole, is for the caller to know.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

from fakemail.dkim.canonicalization import relaxed_body, relaxed_field, with_crlf
from fakemail.dkim.dkim_sign import chosen, fold_base64, folded_names, seal
from fakemail.dkim.keys import Key
from fakemail.message.headers import Field, body_offset, split_fields
from fakemail.model.dkim import Dkim

CLAIMS: Final = ("none", "pass", "fail")
"""Chain validation statuses, ``cv=`` (RFC 8617 §4.4)."""
MAX_SETS: Final = 50
"""RFC 8617 §4.2.1."""

# The order in which they are signed (RFC 8617 §5.1.1).
_FIELDS: Final = ("arc-authentication-results", "arc-message-signature", "arc-seal")
_INSTANCE: Final = re.compile(rb"(?:\A|;)\s*i\s*=\s*([0-9]{1,3})\s*(?:;|\Z)")
_BROKEN: Final = re.compile(rb"(?:\A|;)\s*cv\s*=\s*fail\s*(?:;|\Z)")


def arc_set(
    raw: bytes, how: Dkim, *, results: str, claim: str, domain: str, key: Key, now: datetime
) -> bytes:
    """The fields of a new set, the seal on top, to be put in front of a message; none where a chain has ended.

    ``results`` is what an Authentication-Results field of the sealing host would say, from its name on (RFC 8601
    §2.2), which becomes ARC-Authentication-Results. ``claim`` is one of :data:`CLAIMS`. A chain has ended when
    somebody has sealed it as broken, or with 50 sets. ``raw`` may have line ends of any kind.
    """
    raw = with_crlf(raw)
    start = body_offset(raw)
    fields = split_fields(raw, 0, start)
    chain = _chain(fields)
    number = max(chain, default=0) + 1
    if number > MAX_SETS or any(_BROKEN.search(field.raw) for found in chain.values() for field in found):
        return b""
    authentication = f"ARC-Authentication-Results: i={number}; {results}".encode()
    names = [name for name in chosen(fields, how) if not name.startswith("arc-")]
    names += [field.name.lower() for field in fields if field.name.lower() == "dkim-signature"]
    bh = b64encode(sha256(relaxed_body(raw[start:])).digest()).decode()
    who = f"d={domain}; s={how.selector}; t={int(now.timestamp())}"
    head = (
        f"ARC-Message-Signature: i={number}; a={key.signs_as}; c=relaxed/relaxed;\r\n\t{who};"
        f"\r\n\th={folded_names(tuple(names))};\r\n\tbh={bh};\r\n\tb="
    )
    message = seal(raw, fields, names, head.encode(), key=key, canonicalization="relaxed")[:-2]
    # §5.1.2: who finds the chain broken vouches for nothing but its own set.
    before = [] if claim == "fail" else [raw[field.start : field.end] for field in _in_order(chain)]
    head = f"ARC-Seal: i={number}; a={key.signs_as}; cv={claim};\r\n\t{who};\r\n\tb="
    covered = [*before, authentication, message, head.encode()]
    made = head.encode() + _signature(covered, key)
    return b"".join(line + b"\r\n" for line in (made, message, authentication))


def _signature(lines: Iterable[bytes], key: Key) -> bytes:
    return fold_base64(key.sign(b"\r\n".join([relaxed_field(line) for line in lines])))


def _chain(fields: Iterable[Field]) -> dict[int, list[Field]]:
    """The fields of each set by its number; those without a number are left out."""
    found: dict[int, list[Field]] = {}
    for field in fields:
        if field.name.lower() in _FIELDS and (match := _INSTANCE.search(field.raw)):
            found.setdefault(int(match[1]), []).append(field)
    return found


def _in_order(chain: dict[int, list[Field]]) -> list[Field]:
    return [
        field
        for number in sorted(chain)
        for field in sorted(chain[number], key=lambda field: _FIELDS.index(field.name.lower()))
    ]
