"""Stages at which something can go wrong, and the conditions that can be met at each; groups of stages."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from fakemail.types.stage import Stage

_CLIENT: Final = frozenset({"client", "connection", "service"})
"""Facts known from the moment of the connection on."""
_LOGIN: Final = _CLIENT | {"login"}
_COMMAND: Final = _LOGIN | {"argument"}
_NUMBERED: Final = _COMMAND | {"message"}
_MAIL: Final = _LOGIN | {"sender"}
_RCPT: Final = _MAIL | {"recipient"}

_SPECIAL: Final = {
    Stage.CONNECT: _CLIENT,
    Stage.TLS_HANDSHAKE: _CLIENT | {"argument"},
    Stage.DNS_QUERY: frozenset({"client", "query", "query_type", "transport"}),
    Stage.HTTP_REQUEST: _CLIENT | {"argument"},
    Stage.SMTP_BANNER: _CLIENT,
    Stage.SMTP_STARTTLS: _CLIENT,
    Stage.SMTP_AUTH: _CLIENT | {"argument"},
    Stage.SMTP_MAIL: _MAIL | {"argument"},
    Stage.SMTP_RCPT: _RCPT | {"argument"},
    Stage.SMTP_DATA: _RCPT,
    Stage.SMTP_BDAT: _RCPT | {"argument"},
    Stage.SMTP_BODY: _RCPT | {"after"},
    Stage.SMTP_END: _RCPT | {"subject"},
    Stage.SMTP_RSET: _LOGIN,
    Stage.SMTP_QUIT: _LOGIN,
    Stage.IMAP_BANNER: _CLIENT,
    Stage.IMAP_CAPABILITY: _LOGIN,
    Stage.IMAP_STARTTLS: _CLIENT,
    Stage.IMAP_AUTHENTICATE: _CLIENT,
    Stage.IMAP_LOGIN: _LOGIN,
    Stage.IMAP_FETCH: _NUMBERED,
    Stage.IMAP_STORE: _NUMBERED,
    Stage.IMAP_COPY: _NUMBERED,
    Stage.IMAP_MOVE: _NUMBERED,
    Stage.IMAP_REPLACE: _NUMBERED,
    Stage.POP3_BANNER: _CLIENT,
    Stage.POP3_CAPA: _LOGIN,
    Stage.POP3_STLS: _CLIENT,
    Stage.POP3_USER: _CLIENT | {"argument"},
    Stage.POP3_PASS: _LOGIN,
    Stage.POP3_APOP: _LOGIN,
    Stage.POP3_AUTH: _CLIENT,
    Stage.POP3_STAT: _LOGIN,
    Stage.POP3_LIST: _NUMBERED,
    Stage.POP3_UIDL: _NUMBERED,
    Stage.POP3_RETR: _NUMBERED,
    Stage.POP3_TOP: _NUMBERED,
    Stage.POP3_DELE: _NUMBERED,
    Stage.POP3_NOOP: _LOGIN,
    Stage.POP3_RSET: _LOGIN,
    Stage.POP3_QUIT: _LOGIN,
    Stage.POP3_UNKNOWN: _LOGIN,
}
"""Facts known at a stage, where that is not a command of a client with its argument."""

WATCHED: Final = MappingProxyType(
    {
        Stage.PROXY: "it is what a client says before everything; let the greeting fail",
        Stage.DISCONNECT: "the connection is over",
        Stage.QUEUE: "refuse the message at smtp.end instead",
        Stage.ROUTE: "let DNS fail instead",
        Stage.ATTEMPT: "let the host fail that is tried",
        Stage.DEFER: "it is what a host does when others fail",
        Stage.RETURN: "it is what a host does when others fail",
        Stage.DELIVER: "give the account a quota, or refuse the message at smtp.end",
        Stage.REDIRECT: "let the host fail to which it goes on",
    }
)
"""Stages that can be watched only, and what to do instead."""

CONDITIONS_AT: Final = MappingProxyType(
    {stage: _SPECIAL.get(stage, _COMMAND) for stage in Stage if stage not in WATCHED}
)
"""The fields of :class:`~fakemail.faults.context.Match` that can be met at each stage where something can go wrong."""


def _of(protocol: str) -> frozenset[Stage]:
    return frozenset(stage for stage in CONDITIONS_AT if stage.value.startswith(f"{protocol}."))


EVERYWHERE: Final = frozenset(CONDITIONS_AT)
CONNECT: Final = frozenset({Stage.CONNECT})
TLS: Final = frozenset({Stage.TLS_HANDSHAKE})
DNS: Final = frozenset({Stage.DNS_QUERY})
HTTPS: Final = frozenset({Stage.HTTP_REQUEST})
SMTP_BODY: Final = frozenset({Stage.SMTP_BODY})
SMTP_END: Final = frozenset({Stage.SMTP_END})
SMTP: Final = _of("smtp") - SMTP_BODY
"""Wherever a server of SMTP answers."""
IMAP: Final = _of("imap")
POP3: Final = _of("pop3")
COMMANDS: Final = SMTP | IMAP | POP3
"""Wherever a server of mail answers."""
ANSWERS: Final = COMMANDS | TLS | HTTPS
"""Wherever a server answers over TCP."""
STARTTLS: Final = frozenset({Stage.SMTP_STARTTLS, Stage.IMAP_STARTTLS, Stage.POP3_STLS})
CAPABILITIES: Final = frozenset({Stage.SMTP_HELO, Stage.IMAP_BANNER, Stage.IMAP_CAPABILITY, Stage.POP3_CAPA})
"""Wherever a server says what it can."""
IMAP_MAILBOX: Final = frozenset(
    {
        *(Stage.IMAP_NOOP, Stage.IMAP_SELECT, Stage.IMAP_EXAMINE, Stage.IMAP_STATUS, Stage.IMAP_APPEND),
        *(Stage.IMAP_IDLE, Stage.IMAP_CHECK, Stage.IMAP_CLOSE, Stage.IMAP_UNSELECT, Stage.IMAP_EXPUNGE),
        *(Stage.IMAP_SEARCH, Stage.IMAP_SORT, Stage.IMAP_THREAD, Stage.IMAP_ESEARCH, Stage.IMAP_FETCH),
        *(Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE, Stage.IMAP_REPLACE),
    }
)
"""Commands that are about a mailbox with messages."""
POP3_MAILDROP: Final = frozenset(
    {
        *(Stage.POP3_STAT, Stage.POP3_LIST, Stage.POP3_UIDL, Stage.POP3_RETR, Stage.POP3_TOP),
        *(Stage.POP3_DELE, Stage.POP3_NOOP, Stage.POP3_RSET, Stage.POP3_QUIT),
    }
)
CHANGES: Final = frozenset(
    {
        *(Stage.IMAP_NOOP, Stage.IMAP_ENABLE, Stage.IMAP_CREATE, Stage.IMAP_DELETE, Stage.IMAP_RENAME),
        *(Stage.IMAP_SUBSCRIBE, Stage.IMAP_UNSUBSCRIBE, Stage.IMAP_SETQUOTA, Stage.IMAP_SETMETADATA),
        *(Stage.IMAP_SETACL, Stage.IMAP_DELETEACL, Stage.IMAP_APPEND, Stage.IMAP_CHECK, Stage.IMAP_CLOSE),
        *(Stage.IMAP_UNSELECT, Stage.IMAP_EXPUNGE, Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE),
        *(Stage.IMAP_REPLACE, Stage.POP3_DELE, Stage.POP3_NOOP, Stage.POP3_RSET, Stage.POP3_QUIT),
    }
)
"""Commands whose whole answer is that they were carried out."""
