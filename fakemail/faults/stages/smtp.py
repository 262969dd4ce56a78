"""What can go wrong at each stage of SMTP."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import Delay, InjectBytes
from fakemail.faults.actions.smtp import (
    AcceptSmuggledEnd,
    Advertise,
    Corrupt,
    DeliverTwice,
    Hide,
    PretendSuccess,
    Reorder,
    SendReply,
    StarttlsInjection,
    Truncate,
)
from fakemail.faults.catalogue import ALWAYS, ENDINGS, ON_ANSWERS, FaultSupport
from fakemail.faults.magic_addresses import AsAddressSays
from fakemail.types.stage import Stage

_COMMAND: Final = frozenset({SendReply, *ENDINGS, *ON_ANSWERS})
_LOGGED_IN: Final = ALWAYS | {"login"}
_MAIL: Final = _LOGGED_IN | {"sender"}
_RCPT: Final = _MAIL | {"recipient"}


def _row(stage: Stage, conditions: frozenset[str], *more: type[FaultAction]) -> FaultSupport:
    return FaultSupport(stage, _COMMAND | {*more}, conditions)


ROWS: Final = (
    _row(Stage.SMTP_BANNER, ALWAYS),
    _row(Stage.SMTP_HELO, _LOGGED_IN | {"argument"}, Hide, Advertise),
    _row(Stage.SMTP_STARTTLS, ALWAYS, InjectBytes, StarttlsInjection),
    _row(Stage.SMTP_XCLIENT, _LOGGED_IN | {"argument"}),
    _row(Stage.SMTP_AUTH, ALWAYS | {"argument"}),
    _row(Stage.SMTP_MAIL, _MAIL | {"argument"}, AsAddressSays),
    _row(Stage.SMTP_RCPT, _RCPT | {"argument"}, PretendSuccess, AsAddressSays),
    _row(Stage.SMTP_DATA, _RCPT, AcceptSmuggledEnd),
    _row(Stage.SMTP_BDAT, _RCPT | {"argument"}),
    FaultSupport(Stage.SMTP_BODY, ENDINGS | {Delay}, _RCPT | {"after"}),
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
