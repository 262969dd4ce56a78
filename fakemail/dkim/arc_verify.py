"""ARC chains checked (RFC 8617 §5.2): is every set there, and does each signature hold?

The signatures themselves are checked as those of DKIM, in :mod:`fakemail.dkim.dkim_verify`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from fakemail.dkim.arc_sign import MAX_SETS
from fakemail.dkim.canonicalization import signed_header
from fakemail.dkim.dkim_verify import (
    SignatureProblem,
    SignedMessage,
    check_signature,
    check_value,
    read_signed,
    require,
    require_fit,
)
from fakemail.dkim.key_record import KeyProblem, LookUp, fetch_key
from fakemail.dkim.tag_list import TagError, read_tags, without_value
from fakemail.message.headers import Field
from fakemail.types.dataclass import dataclass

AUTHENTICATION, MESSAGE_SIGNATURE, SEAL = (
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
)
# RFC 8617 §4.2.1: instance = [CFWS] %s"i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";"
_INSTANCE: Final = re.compile(r"\s*i\s*=\s*([0-9]{1,2})\s*;")


@dataclass(frozen=True, slots=True)
class ArcSet:
    """Result of one set."""

    instance: int
    claim: str = ""
    """``cv=``: what the sealer found the chain before it to be."""
    domain: str = ""
    selector: str = ""
    seal: str = "none"
    message_signature: str = "none"
    sentence: str = ""
    authentication: str = ""
    """Text behind ``i=`` in its ARC-Authentication-Results."""


class ArcChain(NamedTuple):
    """Result of a chain."""

    result: str
    """``pass``, ``fail``, ``none``, or ``temperror`` where a key could not be had now."""
    sentence: str
    sets: tuple[ArcSet, ...] = ()
    oldest_pass: int = 0


class _Fields(NamedTuple):
    """The three fields of one set."""

    authentication: Field
    message_signature: Field
    seal: Field


def verify_chain(message: SignedMessage, look_up: LookUp) -> ArcChain:
    """Check the ARC chain of a message."""
    try:
        found = _collect(message)
    except SignatureProblem as problem:
        return ArcChain("fail", str(problem))
    if not found:
        return ArcChain("none", "there is no ARC set in it")
    try:
        seals = [_seal_tags(message, number, fields.seal) for number, fields in enumerate(found, 1)]
    except SignatureProblem as problem:
        return ArcChain("fail", str(problem))
    sets = tuple(
        ArcSet(
            number,
            claim=tags["cv"],
            domain=tags["d"].lower(),
            selector=tags["s"],
            authentication=_INSTANCE.sub("", _text(fields.authentication), count=1).strip(),
        )
        for number, (fields, tags) in enumerate(zip(found, seals, strict=True), 1)
    )
    # §5.2 step 2: who sealed last has found it broken.
    if sets[-1].claim == "fail":
        return ArcChain("fail", f"{sets[-1].domain} has sealed it as broken (cv=fail)", sets)
    for each in sets:  # step 3 C
        if each.claim != ("none" if each.instance == 1 else "pass"):
            return ArcChain("fail", f"set {each.instance} says cv={each.claim[:20]}, which cannot be", sets)
    sets = tuple(_check_set(message, found, seals[each.instance - 1], each, look_up) for each in sets)
    return _conclude(sets)


def _conclude(sets: tuple[ArcSet, ...]) -> ArcChain:
    last = sets[-1]
    oldest = 0
    for each in reversed(sets):  # step 5: since when was it not altered?
        if each.message_signature != "pass":
            oldest = each.instance + 1
            break
    # Steps 4 and 6: the last message signature, and every seal.
    wrong = [last] if last.message_signature != "pass" else []
    wrong += [each for each in reversed(sets) if each.seal != "pass"]
    if not wrong:
        signers = ", ".join(each.domain for each in sets)
        return ArcChain("pass", f"the chain of {len(sets)} is whole: {signers}", sets, oldest)
    first = wrong[0]
    which = first.seal if first.seal != "pass" else first.message_signature
    result = "temperror" if which == "temperror" else "fail"
    return ArcChain(result, f"set {first.instance}: {first.sentence}", sets, oldest)


def _collect(message: SignedMessage) -> list[_Fields]:
    """The sets in order. Raises :class:`SignatureProblem` unless they are complete (§5.2 step 3)."""
    sets: dict[int, dict[str, Field]] = {}
    for each in message.fields:
        name = each.name.lower()
        if name not in (AUTHENTICATION, MESSAGE_SIGNATURE, SEAL):
            continue
        number = _instance(name, each)
        if not 1 <= number <= MAX_SETS:
            raise SignatureProblem("fail", f"a set of the chain has the number {number}, not 1 to {MAX_SETS}")
        if name in sets.setdefault(number, {}):
            raise SignatureProblem("fail", f"set {number} of the chain has two fields {each.name}")
        sets[number][name] = each
    found = []
    for number in range(1, len(sets) + 1):
        fields = sets.get(number)
        if fields is None:
            raise SignatureProblem("fail", f"set {number} of the chain is missing")
        if len(fields) != 3:
            there = ", ".join(each.name for each in fields.values())
            raise SignatureProblem("fail", f"set {number} of the chain is not complete: it has {there}")
        found.append(_Fields(fields[AUTHENTICATION], fields[MESSAGE_SIGNATURE], fields[SEAL]))
    return found


def _instance(name: str, one: Field) -> int:
    text = _text(one)
    if name == AUTHENTICATION:
        found = _INSTANCE.match(text)
        value = "" if found is None else found[1]
    else:
        try:
            value = read_tags(text).get("i", "")
        except TagError as error:
            raise SignatureProblem("fail", f"{one.name} is malformed: {error}") from None
    if not (value.isascii() and value.isdigit() and len(value) <= 3):
        raise SignatureProblem("fail", f"{one.name} has no number i=")
    return int(value)


def _seal_tags(message: SignedMessage, number: int, seal: Field) -> dict[str, str]:
    tags = read_tags(_text(seal))  # it was read before, for its number
    try:
        require(tags, ("a", "b", "cv", "d", "s"))
    except SignatureProblem as problem:
        raise SignatureProblem("fail", f"the seal of set {number}: {problem}") from None
    if "h" in tags:  # §4.1.3
        raise SignatureProblem("fail", f"the seal of set {number} has h=, which it may not")
    return tags


def _check_set(
    message: SignedMessage, found: list[_Fields], seal: dict[str, str], known: ArcSet, look_up: LookUp
) -> ArcSet:
    fields = found[known.instance - 1]
    why = []
    results = []
    checks: tuple[Callable[[], None], ...] = (
        lambda: _check_message_signature(message, fields.message_signature, look_up),
        lambda: _check_seal(message, found[: known.instance], seal, look_up),
    )
    for check in checks:
        try:
            check()
            results.append("pass")
        except (SignatureProblem, KeyProblem) as problem:
            results.append("temperror" if problem.result == "temperror" else "fail")
            why.append(str(problem))
    return replace(
        known,
        message_signature=results[0],
        seal=results[1],
        sentence="; ".join(dict.fromkeys(why))
        or f"{known.domain} has sealed it, and nothing was changed since",
    )


def _check_message_signature(message: SignedMessage, own: Field, look_up: LookUp) -> None:
    tags = read_tags(_text(own))
    require(tags, ("a", "b", "bh", "d", "h", "s"))
    signed = read_signed(tags)
    if SEAL in signed:  # §4.1.2
        raise SignatureProblem("fail", "the message signature covers ARC-Seal, which it may not")
    key = fetch_key(tags["d"].lower(), tags["s"], look_up)
    check_signature(message, own, tags, signed, key, names_signer=tags["d"].lower())


def _check_seal(message: SignedMessage, chain: list[_Fields], tags: dict[str, str], look_up: LookUp) -> None:
    """§5.1.1: a seal covers every set up to its own, in order, its own seal without ``b=`` last."""
    key = fetch_key(tags["d"].lower(), tags["s"], look_up)
    digest = require_fit(tags["a"], key)
    covered = [message.raw_field(one) for fields in chain for one in fields]
    data = signed_header(covered[:-1], without_value(covered[-1]), "relaxed")
    check_value(tags, key, data, digest, tags["d"].lower())


def _text(one: Field) -> str:
    return one.raw.decode("utf-8", "replace")
