"""Kinds of IMAP servers: capabilities, strictness of reading, folders that an account starts with.

Kinds of servers are data. What a capability means lives with its commands, when it is offered in
:mod:`fakemail.imap.capabilities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from types import MappingProxyType
from typing import Final

from fakemail.model.host import HostSpec, Service
from fakemail.store.account import DEFAULT_FOLDERS
from fakemail.types.dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerKind:
    """Particulars of a kind of IMAP server. The defaults are those of a complete modern one."""

    name: str = "default"
    only: frozenset[str] | None = None
    """The only capabilities that it has, ``AUTH=`` ones included; ``None`` for all that are known."""
    without: frozenset[str] = frozenset()
    """Capabilities that it has not."""
    extra: tuple[str, ...] = ()
    """Words that it lists besides, without any meaning here."""
    before_login: tuple[str, ...] = ()
    """Words that it lists before the login, in its order; empty for what it has, in ours."""
    charsets: frozenset[str] | None = None
    """The only character sets that SEARCH takes; ``None`` for all that are known."""
    seven_bit: bool = False
    """Refuse bytes beyond ASCII in quoted strings before UTF-8 was enabled (RFC 3501 §9)."""
    strict: bool = False
    """Refuse what the grammar does not have, instead of reading it as other servers do."""
    greeting: str = "fakemail ready."
    folders: Mapping[str, str] = field(default_factory=lambda: DEFAULT_FOLDERS)
    """Names and special uses that an account starts with."""
    append_limit: int | None = None
    """Bytes of one message, where that is less than the host's limit."""
    literal_minus: bool = False
    """Offer LITERAL- instead of LITERAL+ (RFC 7888 §5)."""
    volunteers_capabilities: bool = True
    """Put the capabilities into the greeting, and the new ones into the response to LOGIN and AUTHENTICATE."""
    uses_labels: bool = False
    """Whether mailboxes are labels (X-GM-EXT-1)."""

    def knows(self, capability: str) -> bool:
        """Whether it has the capability at all."""
        return capability not in self.without and (self.only is None or capability in self.only)


@dataclass(frozen=True)
class ImapProfile:
    """One IMAP port of one host. Made once for each listener, shared by its sessions."""

    host: HostSpec
    service: Service
    imap: ServerKind = ServerKind()

    @cached_property
    def max_message_size(self) -> int:
        """Bytes of one message that APPEND takes."""
        limit = self.host.options.max_message_size
        own = self.imap.append_limit
        return limit if own is None else min(limit, own)

    def knows(self, capability: str) -> bool:
        """Whether a capability is neither hidden by the host nor foreign to the kind of server."""
        return capability not in self.host.options.hide and self.imap.knows(capability)


_PASSWORDS: Final = frozenset({"AUTH=PLAIN", "AUTH=LOGIN"})
_GMAIL_FOLDERS: Final = MappingProxyType(
    {
        "[Gmail]/All Mail": "\\All",
        "[Gmail]/Drafts": "\\Drafts",
        "[Gmail]/Important": "\\Important",
        "[Gmail]/Sent Mail": "\\Sent",
        "[Gmail]/Spam": "\\Junk",
        "[Gmail]/Starred": "\\Flagged",
        "[Gmail]/Trash": "\\Trash",
    }
)
_OUTLOOK_FOLDERS: Final = MappingProxyType(
    {
        "Archive": "\\Archive",
        "Calendar": "",
        "Contacts": "",
        "Deleted Items": "\\Trash",
        "Drafts": "\\Drafts",
        "Junk Email": "\\Junk",
        "Notes": "",
        "Outbox": "",
        "Sent Items": "\\Sent",
        "Tasks": "",
    }
)
_YAHOO_FOLDERS: Final = MappingProxyType(
    {"Archive": "\\Archive", "Bulk": "\\Junk", "Draft": "\\Drafts", "Sent": "\\Sent", "Trash": "\\Trash"}
)

DEFAULT: Final = ServerKind()
_ROWS: Final = (
    DEFAULT,
    ServerKind(name="strict", strict=True),
    ServerKind(name="rev1_only", without=frozenset({"IMAP4rev2"})),
    ServerKind(
        name="minimal",
        only=frozenset({"IMAP4rev1", "STARTTLS", "LOGINDISABLED", *_PASSWORDS}),
        volunteers_capabilities=False,
    ),
    ServerKind(
        name="gmail-like",
        only=frozenset(
            [
                "IMAP4rev1",
                "STARTTLS",
                "LOGINDISABLED",
                "UNSELECT",
                "IDLE",
                "NAMESPACE",
                "QUOTA",
                "ID",
                "CHILDREN",
                "X-GM-EXT-1",
                "XLIST",
                "UIDPLUS",
                "COMPRESS=DEFLATE",
                "ENABLE",
                "MOVE",
                "CONDSTORE",
                "ESEARCH",
                "UTF8=ACCEPT",
                "LIST-EXTENDED",
                "LIST-STATUS",
                "LITERAL-",
                "SPECIAL-USE",
                "APPENDLIMIT",
                "SASL-IR",
                "AUTH=XOAUTH2",
                "AUTH=PLAIN",
                "AUTH=OAUTHBEARER",
            ]
        ),
        extra=("XYZZY", "AUTH=PLAIN-CLIENTTOKEN"),
        before_login=(
            *("IMAP4rev1", "UNSELECT", "IDLE", "NAMESPACE", "QUOTA", "ID", "XLIST", "CHILDREN", "X-GM-EXT-1"),
            *("SASL-IR", "AUTH=XOAUTH2", "AUTH=PLAIN", "AUTH=PLAIN-CLIENTTOKEN", "AUTH=OAUTHBEARER"),
        ),
        seven_bit=True,
        greeting="Gimap ready for requests",
        folders=_GMAIL_FOLDERS,
        append_limit=35_651_584,
        literal_minus=True,
        uses_labels=True,
    ),
    ServerKind(
        name="outlook-like",
        only=frozenset(
            [
                "IMAP4rev1",
                "STARTTLS",
                "LOGINDISABLED",
                "SASL-IR",
                "UIDPLUS",
                "MOVE",
                "ID",
                "UNSELECT",
                "CHILDREN",
                "IDLE",
                "NAMESPACE",
                "LITERAL+",
                "AUTH=PLAIN",
                "AUTH=XOAUTH2",
            ]
        ),
        extra=("IMAP4", "CLIENTACCESSRULES", "CLIENTNETWORKPRESENCELOCATION", "BACKENDAUTHENTICATE"),
        before_login=(
            *("IMAP4", "IMAP4rev1", "AUTH=PLAIN", "AUTH=XOAUTH2", "SASL-IR", "UIDPLUS", "ID", "UNSELECT"),
            *("CHILDREN", "IDLE", "NAMESPACE", "LITERAL+"),
        ),
        charsets=frozenset({"US-ASCII"}),
        seven_bit=True,
        greeting="The Microsoft Exchange IMAP4 service is ready.",
        folders=_OUTLOOK_FOLDERS,
        volunteers_capabilities=False,
    ),
    ServerKind(
        name="yahoo-like",
        only=frozenset(
            [
                "IMAP4rev1",
                "STARTTLS",
                "LOGINDISABLED",
                "ID",
                "IDLE",
                "MOVE",
                "NAMESPACE",
                "UIDPLUS",
                "LITERAL+",
                "CHILDREN",
                "UNSELECT",
                "APPENDLIMIT",
                "OBJECTID",
                "SASL-IR",
                "AUTH=PLAIN",
                "AUTH=LOGIN",
                "AUTH=XOAUTH2",
                "AUTH=OAUTHBEARER",
            ]
        ),
        before_login=(
            *(
                "IMAP4rev1",
                "SASL-IR",
                "AUTH=PLAIN",
                "AUTH=LOGIN",
                "AUTH=XOAUTH2",
                "AUTH=OAUTHBEARER",
                "ID",
                "MOVE",
            ),
            *("NAMESPACE", "UIDPLUS", "LITERAL+", "CHILDREN", "UNSELECT", "OBJECTID", "IDLE", "APPENDLIMIT"),
        ),
        greeting="Yahoo-like IMAP server ready",
        folders=_YAHOO_FOLDERS,
        append_limit=41_697_280,
    ),
)
SERVER_KINDS: Final[Mapping[str, ServerKind]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every kind of server by its name."""
