"""The table of capabilities: which there are, where they are defined, and when a session offers them.

CAPABILITY, the documentation and the tests are made from it. A capability that a host hides is neither offered
nor understood; which commands need one is told in :mod:`fakemail.imap.states`, and which arguments in
:mod:`fakemail.imap.needs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from fakemail.imap.personality import Profile
from fakemail.model.host import Security
from fakemail.sasl.offering import offered
from fakemail.terms.channel import Channel


class Shown(Enum):
    """In which state a capability is listed."""

    ALWAYS = "always"
    BEFORE = "before login"
    AFTER = "after login"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the list of a session depends on."""

    profile: Profile
    channel: Channel | None
    authenticated: bool
    compressed: bool = False


class Row(NamedTuple):
    """One capability."""

    name: str
    source: str
    shown: Shown = Shown.AFTER
    offered: Callable[[Facts], str | None] = lambda facts: ""
    """What is written behind the name, ``None`` where it is not offered."""


def may_log_in(facts: Facts) -> bool:
    """Whether a password may be told on this connection."""
    personality = facts.profile.host.personality
    return facts.channel is not None or personality.auth_in_clear


def mechanisms(profile: Profile, channel: Channel | None) -> tuple[str, ...]:
    """The SASL mechanisms offered on a connection, the strongest first."""
    return offered(profile.host.personality, channel, profile.knows)


def _starttls(facts: Facts) -> str | None:
    can = facts.profile.service.security is Security.STARTTLS and facts.channel is None
    return "" if can else None


def _login_disabled(facts: Facts) -> str | None:
    return None if may_log_in(facts) else ""


def _append_limit(facts: Facts) -> str | None:
    return f"={facts.profile.max_message_size}"


def _compress(facts: Facts) -> str | None:
    return None if facts.compressed else ""


def _with(*others: str) -> Callable[[Facts], str | None]:
    """Offered where some other capabilities are."""
    return lambda facts: "" if all(facts.profile.knows(other) for other in others) else None


def _literal_plus(facts: Facts) -> str | None:
    return None if facts.profile.imap.literal_minus else ""


def _literal_minus(facts: Facts) -> str | None:
    return "" if facts.profile.imap.literal_minus or not facts.profile.knows("LITERAL+") else None


def _gmail(facts: Facts) -> str | None:
    return "" if facts.profile.imap.uses_labels else None


#: RFC 9051 Appendix E: what IMAP4rev2 has of its own. Where one of these is hidden, IMAP4rev2 would be a lie.
_IN_REV2: Final = (
    *("BINARY", "CHILDREN", "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "NAMESPACE"),
    *("SASL-IR", "SEARCHRES", "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "UNSELECT"),
)

CAPABILITIES: Final = (
    Row("IMAP4rev2", "RFC 9051", Shown.ALWAYS, _with(*_IN_REV2)),
    Row("IMAP4rev1", "RFC 3501", Shown.ALWAYS),
    Row("STARTTLS", "RFC 9051 §6.2.1", Shown.BEFORE, _starttls),
    Row("LOGINDISABLED", "RFC 9051 §6.2.3", Shown.BEFORE, _login_disabled),
    Row("LITERAL+", "RFC 7888", Shown.ALWAYS, _literal_plus),
    Row("LITERAL-", "RFC 7888", Shown.ALWAYS, _literal_minus),
    Row("SASL-IR", "RFC 4959", Shown.BEFORE),
    Row("ID", "RFC 2971", Shown.ALWAYS),
    Row("ENABLE", "RFC 5161", Shown.ALWAYS),
    Row("IDLE", "RFC 2177"),
    Row("NAMESPACE", "RFC 2342"),
    Row("CHILDREN", "RFC 3348"),
    Row("UIDPLUS", "RFC 4315"),
    Row("UNSELECT", "RFC 3691"),
    Row("MOVE", "RFC 6851"),
    Row("MULTIAPPEND", "RFC 3502"),
    Row("LIST-EXTENDED", "RFC 5258"),
    Row("LIST-STATUS", "RFC 5819"),
    Row("LIST-MYRIGHTS", "RFC 8440", offered=_with("ACL")),
    Row("SPECIAL-USE", "RFC 6154"),
    Row("CREATE-SPECIAL-USE", "RFC 6154 §3", offered=_with("SPECIAL-USE")),
    Row("STATUS=SIZE", "RFC 8438"),
    Row("ESEARCH", "RFC 4731"),
    Row("SEARCHRES", "RFC 5182"),
    Row("WITHIN", "RFC 5032"),
    Row("SORT", "RFC 5256"),
    Row("SORT=DISPLAY", "RFC 5957", offered=_with("SORT")),
    Row("THREAD=REFERENCES", "RFC 5256"),
    Row("THREAD=ORDEREDSUBJECT", "RFC 5256"),
    Row("ESORT", "RFC 5267", offered=_with("SORT")),
    Row("PARTIAL", "RFC 9394"),
    Row("MULTISEARCH", "RFC 7377"),
    Row("BINARY", "RFC 3516"),
    Row("CONDSTORE", "RFC 7162"),
    Row("QRESYNC", "RFC 7162", offered=_with("CONDSTORE", "ENABLE")),
    Row("QUOTA", "RFC 9208"),
    Row("QUOTA=RES-STORAGE", "RFC 9208 §5.1", offered=_with("QUOTA")),
    Row("QUOTA=RES-MESSAGE", "RFC 9208 §5.2", offered=_with("QUOTA")),
    Row("QUOTA=RES-MAILBOX", "RFC 9208 §5.3", offered=_with("QUOTA")),
    Row("QUOTASET", "RFC 9208 §4.1.3", offered=_with("QUOTA")),
    Row("METADATA", "RFC 5464"),
    Row("ACL", "RFC 4314"),
    Row("RIGHTS=", "RFC 4314 §2.2", offered=lambda facts: "kxte" if facts.profile.knows("ACL") else None),
    Row("NOTIFY", "RFC 5465"),
    Row("COMPRESS=DEFLATE", "RFC 4978", offered=_compress),
    Row("UTF8=ACCEPT", "RFC 6855", offered=_with("ENABLE")),
    Row("APPENDLIMIT", "RFC 7889", offered=_append_limit),
    Row("OBJECTID", "RFC 8474"),
    Row("SAVEDATE", "RFC 8514"),
    Row("PREVIEW", "RFC 8970"),
    Row("REPLACE", "RFC 8508"),
    Row("UIDONLY", "RFC 9586", offered=_with("ENABLE")),
    Row("UNAUTHENTICATE", "RFC 8437"),
    Row("X-GM-EXT-1", "Google, IMAP Extensions", offered=_gmail),
    Row("XLIST", "Google, IMAP Extensions", Shown.ALWAYS, _gmail),
)
NAMES: Final = frozenset(row.name for row in CAPABILITIES)


def listed(facts: Facts) -> Iterator[str]:
    """The words of a CAPABILITY response, in order (RFC 9051 §7.2.2)."""
    if facts.profile.imap.before_login and not facts.authenticated:
        yield from _before_login(facts)
        return
    hidden = Shown.BEFORE if facts.authenticated else Shown.AFTER
    for row in CAPABILITIES:
        if row.shown is not hidden and facts.profile.knows(row.name):
            more = row.offered(facts)
            if more is not None:
                yield row.name + more
    if not facts.authenticated:
        yield from (f"AUTH={name}" for name in mechanisms(facts.profile, facts.channel))
    has_auth = not facts.authenticated and may_log_in(facts)
    yield from (word for word in facts.profile.imap.extra if has_auth or not word.startswith("AUTH="))


def _before_login(facts: Facts) -> Iterator[str]:
    """The words of a kind that has an order of its own, with what the connection adds."""
    imap = facts.profile.imap
    usual = {f"AUTH={name}" for name in mechanisms(facts.profile, facts.channel)}
    for word in imap.before_login:
        row = _BY_NAME.get(word)
        if word.startswith("AUTH="):
            if word in usual or (word in imap.extra and may_log_in(facts)):
                yield word
        elif row is None:
            yield word
        elif facts.profile.knows(word) and (more := row.offered(facts)) is not None:
            yield word + more
    for word in ("STARTTLS", "LOGINDISABLED"):
        if facts.profile.knows(word) and _BY_NAME[word].offered(facts) is not None:
            yield word


def offers(facts: Facts, capability: str) -> bool:
    """Whether a capability is there to be used, whatever the state."""
    if not facts.profile.knows(capability):
        return False
    row = _BY_NAME.get(capability)
    return row is not None and row.offered(facts) is not None


_BY_NAME: Final = {row.name: row for row in CAPABILITIES}
