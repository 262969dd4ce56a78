"""The table of capabilities: which there are, where they are defined, and when a session offers them.

CAPABILITY, the documentation and the tests are made from it. A capability that a host hides is neither offered
nor understood; each command names those that it and its arguments need (:mod:`fakemail.imap.command`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from fakemail.imap.server_kinds import ImapProfile
from fakemail.model.host import Security
from fakemail.sasl.mechanisms import offered
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass

Requirement = tuple[str, tuple[str, ...]]
"""An argument of a command, and the capabilities of which one must be offered for it."""
GMAIL: Final = ("X-GM-EXT-1",)


class ListedIn(Enum):
    """The state in which a capability is listed."""

    ALWAYS = "always"
    BEFORE = "before login"
    AFTER = "after login"


@dataclass(frozen=True, slots=True)
class CapabilityContext:
    """The facts that the list of a session depends on."""

    profile: ImapProfile
    channel: Channel | None
    authenticated: bool
    compressed: bool = False


class CapabilityRow(NamedTuple):
    """One capability."""

    name: str
    source: str
    shown: ListedIn = ListedIn.AFTER
    offered: Callable[[CapabilityContext], str | None] = lambda facts: ""
    """The text behind the name, ``None`` where the capability is not offered."""


def may_log_in(facts: CapabilityContext) -> bool:
    """Whether a password may be sent on this connection."""
    options = facts.profile.host.options
    return facts.channel is not None or options.auth_in_clear


def mechanisms(profile: ImapProfile, channel: Channel | None) -> tuple[str, ...]:
    """The SASL mechanisms offered on a connection, the strongest first."""
    return offered(profile.host.options, channel, profile.knows)


def _starttls(facts: CapabilityContext) -> str | None:
    can = facts.profile.service.security is Security.STARTTLS and facts.channel is None
    return "" if can else None


def _login_disabled(facts: CapabilityContext) -> str | None:
    return None if may_log_in(facts) else ""


def _append_limit(facts: CapabilityContext) -> str | None:
    return f"={facts.profile.max_message_size}"


def _compress(facts: CapabilityContext) -> str | None:
    return None if facts.compressed else ""


def _with(*others: str) -> Callable[[CapabilityContext], str | None]:
    """Offered where some other capabilities are."""
    return lambda facts: "" if all(facts.profile.knows(other) for other in others) else None


def _literal_plus(facts: CapabilityContext) -> str | None:
    return None if facts.profile.imap.literal_minus else ""


def _literal_minus(facts: CapabilityContext) -> str | None:
    return "" if facts.profile.imap.literal_minus or not facts.profile.knows("LITERAL+") else None


def _gmail(facts: CapabilityContext) -> str | None:
    return "" if facts.profile.imap.uses_labels else None


#: RFC 9051 Appendix E: what IMAP4rev2 has of its own. Where one of these is hidden, IMAP4rev2 would be a lie.
_IN_REV2: Final = (
    *("BINARY", "CHILDREN", "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "NAMESPACE"),
    *("SASL-IR", "SEARCHRES", "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "UNSELECT"),
)

CAPABILITIES: Final = (
    CapabilityRow("IMAP4rev2", "RFC 9051", ListedIn.ALWAYS, _with(*_IN_REV2)),
    CapabilityRow("IMAP4rev1", "RFC 3501", ListedIn.ALWAYS),
    CapabilityRow("STARTTLS", "RFC 9051 §6.2.1", ListedIn.BEFORE, _starttls),
    CapabilityRow("LOGINDISABLED", "RFC 9051 §6.2.3", ListedIn.BEFORE, _login_disabled),
    CapabilityRow("LITERAL+", "RFC 7888", ListedIn.ALWAYS, _literal_plus),
    CapabilityRow("LITERAL-", "RFC 7888", ListedIn.ALWAYS, _literal_minus),
    CapabilityRow("SASL-IR", "RFC 4959", ListedIn.BEFORE),
    CapabilityRow("ID", "RFC 2971", ListedIn.ALWAYS),
    CapabilityRow("ENABLE", "RFC 5161", ListedIn.ALWAYS),
    CapabilityRow("IDLE", "RFC 2177"),
    CapabilityRow("NAMESPACE", "RFC 2342"),
    CapabilityRow("CHILDREN", "RFC 3348"),
    CapabilityRow("UIDPLUS", "RFC 4315"),
    CapabilityRow("UNSELECT", "RFC 3691"),
    CapabilityRow("MOVE", "RFC 6851"),
    CapabilityRow("MULTIAPPEND", "RFC 3502"),
    CapabilityRow("LIST-EXTENDED", "RFC 5258"),
    CapabilityRow("LIST-STATUS", "RFC 5819"),
    CapabilityRow("LIST-MYRIGHTS", "RFC 8440", offered=_with("ACL")),
    CapabilityRow("SPECIAL-USE", "RFC 6154"),
    CapabilityRow("CREATE-SPECIAL-USE", "RFC 6154 §3", offered=_with("SPECIAL-USE")),
    CapabilityRow("STATUS=SIZE", "RFC 8438"),
    CapabilityRow("ESEARCH", "RFC 4731"),
    CapabilityRow("SEARCHRES", "RFC 5182"),
    CapabilityRow("WITHIN", "RFC 5032"),
    CapabilityRow("SORT", "RFC 5256"),
    CapabilityRow("SORT=DISPLAY", "RFC 5957", offered=_with("SORT")),
    CapabilityRow("THREAD=REFERENCES", "RFC 5256"),
    CapabilityRow("THREAD=ORDEREDSUBJECT", "RFC 5256"),
    CapabilityRow("ESORT", "RFC 5267", offered=_with("SORT")),
    CapabilityRow("PARTIAL", "RFC 9394"),
    CapabilityRow("MULTISEARCH", "RFC 7377"),
    CapabilityRow("BINARY", "RFC 3516"),
    CapabilityRow("CONDSTORE", "RFC 7162"),
    CapabilityRow("QRESYNC", "RFC 7162", offered=_with("CONDSTORE", "ENABLE")),
    CapabilityRow("QUOTA", "RFC 9208"),
    CapabilityRow("QUOTA=RES-STORAGE", "RFC 9208 §5.1", offered=_with("QUOTA")),
    CapabilityRow("QUOTA=RES-MESSAGE", "RFC 9208 §5.2", offered=_with("QUOTA")),
    CapabilityRow("QUOTA=RES-MAILBOX", "RFC 9208 §5.3", offered=_with("QUOTA")),
    CapabilityRow("QUOTASET", "RFC 9208 §4.1.3", offered=_with("QUOTA")),
    CapabilityRow("METADATA", "RFC 5464"),
    CapabilityRow("ACL", "RFC 4314"),
    CapabilityRow(
        "RIGHTS=", "RFC 4314 §2.2", offered=lambda facts: "kxte" if facts.profile.knows("ACL") else None
    ),
    CapabilityRow("NOTIFY", "RFC 5465"),
    CapabilityRow("COMPRESS=DEFLATE", "RFC 4978", offered=_compress),
    CapabilityRow("UTF8=ACCEPT", "RFC 6855", offered=_with("ENABLE")),
    CapabilityRow("APPENDLIMIT", "RFC 7889", offered=_append_limit),
    CapabilityRow("OBJECTID", "RFC 8474"),
    CapabilityRow("SAVEDATE", "RFC 8514"),
    CapabilityRow("PREVIEW", "RFC 8970"),
    CapabilityRow("REPLACE", "RFC 8508"),
    CapabilityRow("UIDONLY", "RFC 9586", offered=_with("ENABLE")),
    CapabilityRow("UNAUTHENTICATE", "RFC 8437"),
    CapabilityRow("X-GM-EXT-1", "Google, IMAP Extensions", offered=_gmail),
    CapabilityRow("XLIST", "Google, IMAP Extensions", ListedIn.ALWAYS, _gmail),
)
NAMES: Final = frozenset(row.name for row in CAPABILITIES)


def listed(facts: CapabilityContext) -> Iterator[str]:
    """The words of a CAPABILITY response, in order (RFC 9051 §7.2.2)."""
    if facts.profile.imap.before_login and not facts.authenticated:
        yield from _before_login(facts)
        return
    hidden = ListedIn.BEFORE if facts.authenticated else ListedIn.AFTER
    for row in CAPABILITIES:
        if row.shown is not hidden and facts.profile.knows(row.name):
            more = row.offered(facts)
            if more is not None:
                yield row.name + more
    if not facts.authenticated:
        yield from (f"AUTH={name}" for name in mechanisms(facts.profile, facts.channel))
    has_auth = not facts.authenticated and may_log_in(facts)
    yield from (word for word in facts.profile.imap.extra if has_auth or not word.startswith("AUTH="))


def _before_login(facts: CapabilityContext) -> Iterator[str]:
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


def offers(facts: CapabilityContext, capability: str) -> bool:
    """Whether a capability is there to be used, whatever the state."""
    if not facts.profile.knows(capability):
        return False
    row = _BY_NAME.get(capability)
    return row is not None and row.offered(facts) is not None


_BY_NAME: Final = {row.name: row for row in CAPABILITIES}
