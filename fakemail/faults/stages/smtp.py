"""What can go wrong at each stage of SMTP."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.action import Action
from fakemail.faults.actions.answers import Delay, Inject
from fakemail.faults.actions.smtp import (
    Advertise,
    Corrupt,
    DeliverTwice,
    EndDataAt,
    GiveReply,
    Hide,
    KeepPlaintext,
    PretendSuccess,
    Reorder,
    Truncate,
)
from fakemail.faults.magic import AsAddressSays
from fakemail.faults.table import ALWAYS, ENDINGS, ON_ANSWERS, Row
from fakemail.terms.stage import Stage

_COMMAND: Final = frozenset({GiveReply, *ENDINGS, *ON_ANSWERS})
_LOGGED_IN: Final = ALWAYS | {"login"}
_MAIL: Final = _LOGGED_IN | {"sender"}
_RCPT: Final = _MAIL | {"recipient"}


def _row(stage: Stage, conditions: frozenset[str], *more: type[Action]) -> Row:
    return Row(stage, _COMMAND | {*more}, conditions)


ROWS: Final = (
    _row(Stage.SMTP_BANNER, ALWAYS),
    _row(Stage.SMTP_HELO, _LOGGED_IN | {"argument"}, Hide, Advertise),
    _row(Stage.SMTP_STARTTLS, ALWAYS, Inject, KeepPlaintext),
    _row(Stage.SMTP_XCLIENT, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_AUTH, ALWAYS | {"argument"}),
    _row(Stage.SMTP_MAIL, _MAIL | {"argument"}, AsAddressSays),
    _row(Stage.SMTP_RCPT, _RCPT | {"argument"}, PretendSuccess, AsAddressSays),
    _row(Stage.SMTP_DATA, _RCPT, EndDataAt),
    _row(Stage.SMTP_BDAT, _RCPT | {"argument"}),
    Row(Stage.SMTP_BODY, ENDINGS | {Delay}, _RCPT | {"after"}),
    _row(
        Stage.SMTP_END,
        _RCPT | {"subject"},
        AsAddressSays,
        PretendSuccess,
        DeliverTwice,
        Corrupt,
        Truncate,
        Reorder,
    ),
    _row(Stage.SMTP_RSET, _LOGGED_IN),
    _row(Stage.SMTP_NOOP, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_VRFY, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_EXPN, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_HELP, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_QUIT, _LOGGED_IN),
    _row(Stage.SMTP_UNKNOWN, _LOGGED_IN | {"argument"}),
)
