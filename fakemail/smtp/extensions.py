"""The table of service extensions: every EHLO keyword, what it says, and when it is offered.

A keyword that a host hides is neither offered nor understood.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from fakemail.model.host import LOCAL, SUBMISSION_SERVICES, HostOptions, HostSpec, Security, Service
from fakemail.smtp.xclient import ATTRIBUTES
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer, is_among


@dataclass(frozen=True)
class SmtpProfile:
    """Properties of one port of one host. Made once for each listener, shared by its sessions."""

    host: HostSpec
    service: Service

    @cached_property
    def options(self) -> HostOptions:
        """The host's own."""
        return self.host.options

    @cached_property
    def is_submission(self) -> bool:
        """Whether this is a port for message submission (RFC 6409) and not for relaying."""
        return self.service.name in SUBMISSION_SERVICES

    @cached_property
    def needs_login(self) -> bool:
        """Whether MAIL is refused before AUTH (RFC 6409 §4.3)."""
        return self.is_submission and self.service not in LOCAL and self.options.require_auth

    @cached_property
    def takes_logins(self) -> bool:
        """Whether AUTH can be offered: on the submission ports, and everywhere at a sink."""
        return self.is_submission or self.host.is_sink

    def offers(self, keyword: str) -> bool:
        """Whether a keyword, or ``AUTH=MECHANISM``, is not hidden."""
        return keyword not in self.options.hide

    def mechanisms(self, channel: Channel | None) -> tuple[str, ...]:
        """The SASL mechanisms offered on a connection, the strongest first."""
        if not self.takes_logins or not self.offers("AUTH"):
            return ()
        from fakemail.sasl.mechanisms import offered  # where somebody can log in only

        return offered(self.options, channel, self.offers)

    def may_introduce(self, peer: Peer) -> bool:
        """Whether a client may say for whom it speaks (XCLIENT)."""
        allowed = self.options.xclient_from
        return bool(allowed) and is_among(peer, allowed)

    def keywords(
        self, channel: Channel | None, *, authenticated: bool, peer: Peer | None = None
    ) -> tuple[str, ...]:
        """The keyword lines of the reply to EHLO on such a connection."""
        may_introduce = peer is not None and self.may_introduce(peer)
        key = (
            may_introduce,
            channel is not None,
            channel is not None and channel.end_point is not None,
            channel is not None and bool(channel.certificate_names),
            authenticated,
        )
        known = self._keywords.get(key)
        if known is None:
            known = self._keywords[key] = self._list_keywords(
                _ExtensionContext(self, channel, authenticated, may_introduce)
            )
        return known

    @cached_property
    def _keywords(self) -> dict[tuple[bool, ...], tuple[str, ...]]:
        return {}

    def _list_keywords(self, facts: _ExtensionContext) -> tuple[str, ...]:
        lines = ((row.keyword, row.parameters(facts)) for row in EXTENSIONS if self.offers(row.keyword))
        return tuple(f"{keyword} {said}".rstrip() for keyword, said in lines if said is not None)


@lru_cache(maxsize=64)
def names_of(keywords: tuple[str, ...]) -> frozenset[str]:
    """The keywords without what they say."""
    return frozenset(keyword.partition(" ")[0] for keyword in keywords)


class _ExtensionContext(NamedTuple):
    profile: SmtpProfile
    channel: Channel | None
    authenticated: bool
    may_introduce: bool


class Extension(NamedTuple):
    """One EHLO keyword."""

    keyword: str
    source: str
    parameters: Callable[[_ExtensionContext], str | None]
    """The parameters of the keyword, ``None`` where the extension is not offered."""


def _starttls(facts: _ExtensionContext) -> str | None:
    can = facts.profile.service.security is Security.STARTTLS and facts.channel is None
    return "" if can else None


def _auth(facts: _ExtensionContext) -> str | None:
    return " ".join(facts.profile.mechanisms(facts.channel)) or None


def _requiretls(facts: _ExtensionContext) -> str | None:
    # RFC 8689 §2: it means something inside TLS only.
    return "" if facts.channel is not None else None


def _always(_: _ExtensionContext) -> str | None:
    return ""


EXTENSIONS: Final = (
    Extension("PIPELINING", "RFC 2920", _always),
    Extension("SIZE", "RFC 1870", lambda facts: str(facts.profile.options.max_message_size)),
    Extension("VRFY", "RFC 5321 §4.1.1.6", _always),
    Extension("EXPN", "RFC 5321 §4.1.1.7", _always),
    Extension("STARTTLS", "RFC 3207", _starttls),
    Extension("AUTH", "RFC 4954", _auth),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034", _always),
    Extension("8BITMIME", "RFC 6152", _always),
    Extension("DSN", "RFC 3461", _always),
    # RFC 6531 §3.1: it goes with 8BITMIME only.
    Extension("SMTPUTF8", "RFC 6531", lambda facts: "" if facts.profile.offers("8BITMIME") else None),
    Extension("CHUNKING", "RFC 3030", _always),
    Extension("BINARYMIME", "RFC 3030", lambda facts: "" if facts.profile.offers("CHUNKING") else None),
    Extension("REQUIRETLS", "RFC 8689", _requiretls),
    Extension("LIMITS", "RFC 9422", lambda facts: f"RCPTMAX={facts.profile.options.max_recipients}"),
    Extension(
        "XCLIENT",
        "Postfix XCLIENT_README",
        lambda facts: " ".join(ATTRIBUTES) if facts.may_introduce else None,
    ),
    Extension("HELP", "RFC 5321 §4.1.1.8", _always),
)
