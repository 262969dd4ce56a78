"""What can go wrong at each stage of POP3."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import InjectBytes
from fakemail.faults.actions.reading import (
    BumpUidvalidity,
    ChangeUidl,
    CloseAfterReply,
    FakeSuccess,
    NoFinalDot,
    Refuse,
    RemoveMessage,
    WrongSize,
)
from fakemail.faults.actions.smtp import Advertise, Hide, StarttlsInjection
from fakemail.faults.catalogue import ALWAYS, ENDINGS, ON_ANSWERS, FaultSupport
from fakemail.types.stage import Stage

_COMMAND: Final = frozenset({Refuse, CloseAfterReply, *ENDINGS, *ON_ANSWERS})
_INSIDE: Final = frozenset({RemoveMessage, BumpUidvalidity})
_LOGIN: Final = ALWAYS | {"login"}
_KNOWN: Final = _LOGIN | {"argument"}
_NUMBERED: Final = _KNOWN | {"message"}


def _row(stage: Stage, conditions: frozenset[str], *more: type[FaultAction]) -> FaultSupport:
    return FaultSupport(stage, _COMMAND | {*more}, conditions)


ROWS: Final = (
    _row(Stage.POP3_BANNER, ALWAYS),
    _row(Stage.POP3_CAPA, _LOGIN, Hide, Advertise, NoFinalDot),
    _row(Stage.POP3_STLS, ALWAYS, InjectBytes, StarttlsInjection),
    _row(Stage.POP3_USER, ALWAYS | {"argument"}),
    *(_row(stage, _LOGIN) for stage in (Stage.POP3_PASS, Stage.POP3_APOP)),
    _row(Stage.POP3_AUTH, ALWAYS),
    *(_row(stage, _KNOWN) for stage in (Stage.POP3_UTF8, Stage.POP3_LANG)),
    _row(Stage.POP3_STAT, _LOGIN, *_INSIDE),
    _row(Stage.POP3_LIST, _NUMBERED, *_INSIDE, NoFinalDot),
    _row(Stage.POP3_UIDL, _NUMBERED, *_INSIDE, NoFinalDot, ChangeUidl),
    _row(Stage.POP3_RETR, _NUMBERED, *_INSIDE, NoFinalDot, WrongSize),
    _row(Stage.POP3_TOP, _NUMBERED, *_INSIDE, NoFinalDot),
    _row(Stage.POP3_DELE, _NUMBERED, *_INSIDE, FakeSuccess),
    *(
        _row(stage, _LOGIN, *_INSIDE, FakeSuccess)
        for stage in (Stage.POP3_NOOP, Stage.POP3_RSET, Stage.POP3_QUIT)
    ),
    _row(Stage.POP3_UNKNOWN, _LOGIN),
)
