"""Whether what an action was given means anything: one row for each action that can be given nonsense.

Checked where a fault is declared, since what fails when it strikes would be an error of a server.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from fakemail.dns.records import record
from fakemail.dns.rrtypes import RCODES, read_type
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.actions import dns, http, reading, smtp, tls
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.context import Match
from fakemail.faults.rule import FaultScope
from fakemail.tls.alerts import ALERTS
from fakemail.tls.contexts import VERSIONS
from fakemail.tls.flaws import FLAWS

_ERRORS: Final = tuple(rcode for rcode in RCODES if rcode != "NOERROR")
_LONGEST_STRING: Final = 255  # RFC 1035 §3.3, in octets


def require_sense(scope: FaultScope, action: FaultAction, where: Match) -> None:
    """Raise :class:`~fakemail.errors.DeclarationError` for what an action cannot do."""
    check = _CHECKS.get(type(action))
    try:
        if check is not None:
            check(action, where)
    except DeclarationError as error:
        raise DeclarationError(f"{scope}: {error}") from None


def _known(what: str, given: object, known: Collection[str]) -> None:
    if given not in known:
        raise DeclarationError(f"there is no {what} {given!r}; {nearest(str(given), known)}")


def _number(what: str, given: object, least: int, most: int) -> None:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise DeclarationError(f"{what} is a number from {least} to {most}, not {given!r}.")


def _versions(action: tls.OnlyVersions, where: Match) -> None:
    for version in action.versions:
        _known("version of TLS", version, VERSIONS)
    places = sorted(list(VERSIONS).index(version) for version in action.versions)
    if not places or places != list(range(places[0], places[-1] + 1)):
        raise DeclarationError(
            f"a server speaks one version of TLS or some that are neighbours, of {', '.join(VERSIONS)}; not "
            f"{', '.join(action.versions) or 'none'}."
        )


def _ciphers(action: tls.OnlyCiphers, where: Match) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(f"{action.ciphers}:@SECLEVEL=0")
    except ssl.SSLError:
        raise DeclarationError(
            f"OpenSSL here knows no cipher {action.ciphers!r}; 'openssl ciphers' lists them."
        ) from None


def _not_zero(what: str, given: object) -> None:
    if not isinstance(given, int) or isinstance(given, bool) or not given:
        raise DeclarationError(f"{what} is a whole number from 1 on, or from -1 down, not {given!r}.")


def _unasked(action: reading.SendUntagged, where: Match) -> None:
    if not action.responses or any("\r" in each or "\n" in each for each in action.responses):
        raise DeclarationError("untagged responses are given without '* ' and without line ends.")


def _words(what: str, given: Collection[str]) -> None:
    if not given or any(not each or "\r" in each or "\n" in each for each in given):
        raise DeclarationError(
            f"{what} are given, each without line ends; not {', '.join(map(repr, given))}."
        )


def _told(*texts: str) -> None:
    for text in texts:
        if "\r" in text or "\n" in text:
            raise DeclarationError(f"what a server says here is one line, not {text!r}.")


def _refusal(action: reading.Refuse, where: Match) -> None:
    _known("status of a refusal", action.status, ("NO", "BAD"))
    _told(action.code, action.text)


def _data_ends(action: smtp.AcceptSmuggledEnd, where: Match) -> None:
    if not all(action.ends):
        raise DeclarationError("the end of a message is some octets, such as '\\n.\\n', not none.")


def _records(values: Collection[str], where: Match) -> None:
    if where.query_type is None or "*" in where.query_type:
        raise DeclarationError("records are of one type, so the fault needs query_type.")
    name = where.query if where.query and "*" not in where.query else "example.org"
    for value in values:
        record(name, read_type(where.query_type), value)


def _in_turn(action: dns.RotateRecords, where: Match) -> None:
    if not action.sets:
        raise DeclarationError("give the answers, one after the other.")
    for values in action.sets:
        _records(values, where)


_CHECKS: Final[Mapping[type[FaultAction], Callable[[Any, Match], None]]] = MappingProxyType(
    {
        tls.PresentCertificate: lambda action, _: _known("certificate flaw", action.flaw, FLAWS),
        tls.SendAlert: lambda action, _: _known("TLS alert", action.alert, ALERTS.values()),
        tls.OnlyVersions: _versions,
        tls.OnlyCiphers: _ciphers,
        dns.Rcode: lambda action, _: _known("DNS response code of an error", action.rcode, _ERRORS),
        dns.Records: lambda action, where: _records(action.values, where),
        dns.RotateRecords: _in_turn,
        dns.SplitText: lambda action, _: _number("the length of a string", action.size, 1, _LONGEST_STRING),
        dns.Ttl: lambda action, _: _number("a time to live of DNS", action.ttl, 0, 2**32 - 1),
        reading.RemoveMessage: lambda action, _: _not_zero("the number of a message", action.number),
        reading.WrongSize: lambda action, _: _not_zero("what a size is wrong by", action.by),
        reading.SendUntagged: _unasked,
        reading.Refuse: _refusal,
        reading.ByeMidResponse: lambda action, _: _told(action.code, action.text),
        smtp.Hide: lambda action, _: _words("the keywords to hide", action.keywords),
        smtp.Advertise: lambda action, _: _words("the keywords to advertise", action.keywords),
        smtp.AcceptSmuggledEnd: _data_ends,
        http.HttpStatus: lambda action, _: _number("a status of HTTP", action.status, 200, 599),
    }
)
