"""Hosts: their names, public addresses, services and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from fakemail.errors import DeclarationError, nearest
from fakemail.model.policy import Policy
from fakemail.model.schema import KINDS, TEXT, TEXT_SET, InvalidSentence, Place, Table, ValueKind
from fakemail.types.dataclass import dataclass


class Security(Enum):
    """Protection of a connection."""

    NONE = "none"
    STARTTLS = "starttls"
    """Clear text that the client can turn into TLS (RFC 3207)."""
    TLS = "tls"
    """TLS from the first byte (RFC 8314)."""


@dataclass(frozen=True, slots=True)
class Service:
    """A protocol that a host speaks on one port."""

    name: str
    """The name of IANA's service registry."""
    port: int
    """The real port of the fake internet; where it listens on this machine is another matter."""
    security: Security


SMTP: Final = Service("smtp", 25, Security.STARTTLS)
SUBMISSION: Final = Service("submission", 587, Security.STARTTLS)
SUBMISSIONS: Final = Service("submissions", 465, Security.TLS)
POP3: Final = Service("pop3", 110, Security.STARTTLS)
POP3S: Final = Service("pop3s", 995, Security.TLS)
IMAP: Final = Service("imap", 143, Security.STARTTLS)
IMAPS: Final = Service("imaps", 993, Security.TLS)

HTTPS: Final = Service("https", 443, Security.TLS)

LOCAL: Final = tuple(Service("local", port, Security.STARTTLS) for port in (25, 587))
"""Services of a machine's own mail server, which accepts mail of its programs without a login; never declared."""
READING: Final = (IMAP, IMAPS, POP3, POP3S)
"""The services by which people read their mail, in the order of RFC 6186 §3.2 and §3.3."""
SUBMISSION_SERVICES: Final = frozenset(
    {SUBMISSION.name, SUBMISSIONS.name, *(service.name for service in LOCAL)}
)
"""Services for message submission (RFC 6409)."""
SERVICES: Final = {service.name: service for service in (SMTP, SUBMISSION, SUBMISSIONS, *READING, HTTPS)}


SENDING_TLS: Final = ("none", "opportunistic", "required", "verified")
"""Demands that a host can make of TLS when it sends."""
DNS_CACHES: Final = ("until_changed", "for_ttl", "off")
"""Ways in which the resolver of a host can cache answers."""


DMARC_DISCOVERIES: Final = ("tree_walk", "public_suffix")
"""Ways to find the organization of a domain for DMARC."""


BOUNCE_STYLES: Final = ("standard", "postfix", "exchange", "gmail", "qmail", "plain")
"""Styles of delivery reports; ``plain`` has no part that a program could read."""

ALTERATIONS: Final = ("footer", "whitespace", "subject", "folding", "from", "second_from", "signatures")
"""Alterations that a host can make to messages that it passes on."""
AUTH_MECHANISMS: Final = (
    *("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "EXTERNAL"),
    *("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"),
)
ALL_MECHANISMS: Final = "all"
WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "auth_mechanisms": (*AUTH_MECHANISMS, ALL_MECHANISMS),
        "bounces": BOUNCE_STYLES,
        "alters": ALTERATIONS,
        "sending_tls": SENDING_TLS,
        "dns_cache": DNS_CACHES,
        "dmarc_discovery": DMARC_DISCOVERIES,
    }
)
"""The options that are words of a list, one word or several."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Options of a host's servers. The defaults are those of a careful modern server."""

    hide: frozenset[str] = field(default=frozenset())
    """Keywords of EHLO and of POP3's CAPA that are neither offered nor understood (``TOP``; ``APOP`` and
    ``CAPA`` themselves as well), and SASL mechanisms as ``AUTH=LOGIN``."""
    imap: str = "default"
    """Kind of its IMAP server, by name: ``rev1_only``, ``gmail-like``..."""
    max_message_size: int = 50 * 1024 * 1024
    """In bytes (RFC 1870)."""
    max_recipients: int = 1000
    """In one transaction; RFC 5321 §4.5.3.1.8 asks for 100 at least."""
    max_errors: int = 100
    """Refused commands in one connection before it is closed with 421."""
    idle_timeout: float = 300.0
    """In real seconds; RFC 5321 §4.5.3.2.7 asks for five minutes."""
    reading_timeout: float = 1800.0
    """The same for those who read mail; RFC 1939 §3 asks for ten minutes, RFC 9051 §5.4 for thirty."""
    login_delay: int = 0
    """POP3: seconds of the fake internet's time from one login of an account to the next (RFC 2449 §6.5)."""
    require_tls: bool = False
    """Refuse MAIL in clear text with 530 (RFC 3207 §4)."""
    require_auth: bool = True
    """On the submission ports: refuse MAIL before AUTH with 530 (RFC 6409 §4.3)."""
    auth_mechanisms: frozenset[str] = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
    """The SASL mechanisms that it offers, by every protocol: those that providers have. ``all`` stands for each there
    is, so that a client takes the strongest it can."""
    auth_in_clear: bool = False
    """Offer AUTH before TLS as well."""
    accept_any_login: bool = False
    """Accept every login and every sender address; offered are the mechanisms that can work so."""
    own_senders_only: bool = True
    """On the submission ports: refuse a reverse-path that does not belong to the account (RFC 6409 §6.1)."""
    sending_tls: str = "opportunistic"
    """TLS required when it sends: ``none``, ``opportunistic``, ``required`` (any certificate, but no
    clear text) or ``verified`` (a certificate of the authority for the name of the mail host)."""
    dane: bool = True
    """When it sends: obey TLSA records (RFC 7672)."""
    mta_sts: bool = True
    """When it sends: obey MTA-STS policies (RFC 8461)."""
    tls_reports: bool = True
    """When it sends: report once a day to the domains that ask for it (RFC 8460)."""
    dmarc_reports: bool = True
    """When it receives: report to the domains that ask for it, once a day (RFC 9990) and of failures at once
    (RFC 9991)."""
    keep_connections: bool = True
    """When it sends: keep a connection for a moment, for the next message to the same mail host."""
    dns_cache: str = "until_changed"
    """Cache of its resolver, in the fake internet's time: ``until_changed``, answers for their TTL, but none
    from before a change in DNS; ``for_ttl``, those as well, as real resolvers do; ``off``, nothing."""
    dmarc_discovery: str = "tree_walk"
    """Discovery of the organizational domain for DMARC: ``tree_walk``, by the DNS alone (RFC 9989);
    ``public_suffix``, by the Public Suffix List, and with ``pct=`` applied (RFC 7489)."""
    public_suffixes: frozenset[str] = frozenset()
    """Names below which different owners register, beside those of the Public Suffix List."""
    max_hops: int = 100
    """Received fields in a message before it is refused as going round in circles (RFC 5321 §6.3)."""
    strict_envelopes: bool = False
    """Refuse paths in MAIL and RCPT that RFC 5321 §4.1.2 does not have and most servers take: ``MAIL FROM: <a@b>``,
    ``MAIL FROM:a@b``, a domain with a final dot."""
    accept_bare_line_ends: bool = False
    """Take messages with a bare CR or LF in them instead of refusing them."""
    bounces: str = "standard"
    """Style of its delivery reports: ``standard``, ``postfix``, ``exchange``, ``gmail``, ``qmail``, ``plain``."""
    arc_seal: bool = False
    """Add an ARC set to what it passes on, as forwards, lists and relays do (RFC 8617)."""
    alters: frozenset[str] = field(default=frozenset())
    """Alterations of messages that it relays: ``footer``, ``whitespace``, ``subject``, ``folding``, ``from``,
    ``second_from``, ``signatures``. Each breaks DKIM in its own way."""
    refuse_null_mx: bool = True
    """On the submission ports: refuse recipients whose domain takes no mail with 556 (RFC 7505 §4.1)."""
    reject_unknown_recipient_domain: bool = False
    """Refuse recipients elsewhere whose domain has neither MX nor address records with 550 5.1.2, and with 451 while
    DNS fails (as Postfix's restriction of that name)."""
    xclient_from: frozenset[str] = field(default=frozenset())
    """Clients that may use XCLIENT: names of hosts, addresses, networks; ``app`` is the program under
    test, ``*`` everybody. To others XCLIENT is not offered."""
    proxy_from: frozenset[str] = field(default=frozenset())
    """The same for the PROXY protocol, at all ports of the host: those clients have to begin with its header."""
    full_is_final: bool = False
    """Refuse mail for a full mailbox with 552 5.2.2 for good, and not with 452 4.2.2 for now."""

    def __post_init__(self) -> None:
        """Raises :class:`~fakemail.errors.DeclarationError` for words that mean nothing."""
        wrong = [text for name in WORDS for text in wrong_words(name, getattr(self, name))]
        if wrong:
            raise DeclarationError(" ".join(wrong))


def wrong_words(option: str, value: str | Iterable[str]) -> list[str]:
    """Mistakes in the words of an option, a sentence for each."""
    known = WORDS.get(option, ())
    words = [value] if isinstance(value, str) else sorted(value)
    return [f"{option}: there is no {word!r}; {nearest(word, known)}" for word in words if word not in known]


def _checked(kind: ValueKind) -> ValueKind:
    """The same kind, for an option whose words are those of a list or of the protocols."""

    def read(value: Any, at: Place) -> Any:
        found, option = kind.read(value, at), str(at.key)
        if wrong := (wrong_words(option, found) if option in WORDS else at.check(option, found)):
            raise InvalidSentence(*wrong)
        return found

    return replace(kind, read=read)


HOST_OPTIONS: Final = Table(
    HostOptions,
    {
        **KINDS,
        **dict.fromkeys(("hide", "auth_mechanisms", "alters"), _checked(TEXT_SET)),
        **dict.fromkeys(("imap", "bounces", "sending_tls", "dns_cache", "dmarc_discovery"), _checked(TEXT)),
    },
    unknown="there is no option {key!r}; {hint}",
)
"""The options of a host, for its table in a configuration and for ``host.configure()``."""


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A machine of the fake internet."""

    name: str
    ipv4: str
    ipv6: str
    services: tuple[Service, ...] = ()
    options: HostOptions = HostOptions()
    open_relay_for: frozenset[str] = field(default=frozenset())
    """Domains for which it relays mail from any client; its own need not be named."""
    smarthost: bool = False
    """Whether every account of the world may log in and any sender address may be used by its own."""
    routes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Domain, or ``*`` for all others, to the host that its mail is handed to, whatever DNS says."""
    relay_from: frozenset[str] = field(default=frozenset())
    """Hosts whose mail it passes on to anywhere."""
    policy: Policy | None = None
    """Checks of mail that is submitted to it, ``None`` for nothing."""
    is_sink: bool = False
    """Whether it makes missing mailboxes, for every undeclared domain."""
