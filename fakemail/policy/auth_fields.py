"""Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1): written, and false ones removed.

Bytes in, bytes out; what is written is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from fakemail.message.headers import body_offset, split_fields
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import (
    ArcResult,
    AuthResult,
    BimiResult,
    DkimResult,
    DmarcResult,
    IprevResult,
    SignatureResult,
    SpfResult,
)
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.domains import a_labels

# RFC 8601 §2.2: pvalue = [CFWS] ( ( value / [ [ local-part ] "@" ] domain-name ) ) [CFWS]; value is a token or
# a quoted-string (RFC 2045 §5.1).
_VALUE: Final = re.compile(r"(?:[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]*@)?[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
_NOT_IN_QUOTED: Final = re.compile(r"[^ !#-\[\]-~]")
_NOT_IN_COMMENT: Final = re.compile(r"[^ -'*-\[\]-~]")
_COMMENT: Final = re.compile(r"[()]|\\.", re.DOTALL)
# RFC 8601 §2.2: authserv-id = value; authres-version is a number behind it
_ID: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_LONGEST: Final = 200


def authentication_results(authserv_id: str, results: Iterable[AuthResult]) -> bytes:
    """The field with one clause for each result, with its line end."""
    clauses = [clause for result in results for clause in _clauses(result)] or ["none"]
    text = ";\r\n\t".join([f"Authentication-Results: {_value(authserv_id)}", *clauses])
    return f"{text}\r\n".encode()


def received_spf(result: SpfResult, facts: TransactionFacts) -> bytes:
    """The field about one SPF check, with its line end (RFC 7208 §9.1)."""
    pairs = {
        "client-ip": facts.peer.address,
        "envelope-from": _quoted("" if result.identity == "helo" else result.sender),
        "helo": _value(facts.helo),
        "receiver": _value(facts.host),
        "identity": result.identity,
        "mechanism": _quoted(result.mechanism) if result.mechanism else "",
        "problem": _quoted(result.sentence)
        if result.result in (AuthStatus.PERMERROR, AuthStatus.TEMPERROR)
        else "",
    }
    written = ";\r\n\t".join(f"{name}={value}" for name, value in pairs.items() if value)
    why = _NOT_IN_COMMENT.sub(" ", f"{facts.host}: {result.sentence}"[:_LONGEST])
    return f"Received-SPF: {result.result} ({why})\r\n\t{written};\r\n".encode()


def without_claims(raw: bytes, authserv_id: str) -> bytes:
    """The message without Authentication-Results fields that claim to be ours (RFC 8601 §5)."""
    wanted = a_labels(authserv_id)
    kept, at = [], 0
    for field in split_fields(raw, 0, body_offset(raw)):
        if field.name.lower() != "authentication-results":
            continue
        if a_labels(_authserv_id(field.raw.decode("utf-8", "replace"))) == wanted:
            end = raw.find(b"\n", field.end)
            kept.append(raw[at : field.start])
            at = len(raw) if end < 0 else end + 1
    return raw if not at else b"".join([*kept, raw[at:]])


def _authserv_id(text: str) -> str:
    found = _ID.match(_without_comments(text))
    if found is None:
        return ""
    return found[2] or re.sub(r"\\(.)", r"\1", found[1] or "")


def _without_comments(text: str) -> str:
    """A structured field body without its comments, nested ones too; an unclosed one runs to the end."""
    kept, depth, at = [], 0, 0
    for mark in _COMMENT.finditer(text):
        if mark[0] == "(":
            if not depth:
                kept.append(text[at : mark.start()])
            depth += 1
        elif mark[0] == ")" and depth:
            depth -= 1
            at = mark.end()
    return "".join(kept) + ("" if depth else text[at:])


# Clauses -----------------------------------------------------------------------------------------


def _clauses(result: AuthResult) -> list[str]:
    if isinstance(result, DkimResult) and result.signatures:
        return [_clause(each) for each in result.signatures]
    return [_clause(result)]


def _clause(result: AuthResult) -> str:
    """``method=result reason="..." ptype.property=value`` (RFC 8601 §2.2)."""
    is_plain = result.result in (AuthStatus.PASS, AuthStatus.NONE) or not result.sentence
    why = "" if is_plain else f" reason={_quoted(result.sentence)}"
    comment = (
        f" (p={result.policy} dis={result.disposition})"
        if isinstance(result, DmarcResult) and result.policy
        else ""
    )
    properties = _PROPERTIES.get(type(result))
    pairs = {} if properties is None else properties(result)
    written = "".join(f" {name}={_value(value)}" for name, value in pairs.items() if value)
    return f"{result.method}={result.result}{comment}{why}{written}"


def _of_spf(result: SpfResult) -> dict[str, str]:
    if result.identity == "helo":
        return {"smtp.helo": result.domain}
    return {"smtp.mailfrom": result.sender or result.domain}


# RFC 8601 §2.7 and the IANA registry of its properties.
_PROPERTIES: Final[dict[type[AuthResult], Callable[..., dict[str, str]]]] = {
    SpfResult: _of_spf,
    SignatureResult: lambda result: {
        "header.d": result.domain,
        "header.i": result.identity,
        "header.s": result.selector,
        "header.a": result.algorithm,
        "header.b": result.signature,
    },
    DmarcResult: lambda result: {"header.from": result.domain, "policy.dmarc": result.policy},
    ArcResult: lambda result: {
        "header.oldest-pass": str(result.oldest_pass) if result.result is AuthStatus.PASS else ""
    },
    IprevResult: lambda result: {"policy.iprev": result.address},
    BimiResult: lambda result: {"header.d": result.domain, "header.selector": result.selector},
}


def _value(text: str) -> str:
    """``value = token / quoted-string``: whatever a stranger has said, it ends neither clause nor field."""
    return text if len(text) <= _LONGEST and _VALUE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return f'"{_NOT_IN_QUOTED.sub("?", text[:_LONGEST])}"'
