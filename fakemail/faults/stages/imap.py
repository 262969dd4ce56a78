"""What can go wrong at each stage of IMAP."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import InjectBytes
from fakemail.faults.actions.reading import (
    BumpUidvalidity,
    ByeMidResponse,
    CloseAfterReply,
    FakeSuccess,
    Refuse,
    RemoveMessage,
    SendUntagged,
    SuppressUntagged,
    TruncateLiteral,
    WrongSize,
)
from fakemail.faults.actions.smtp import Advertise, Hide, StarttlsInjection
from fakemail.faults.catalogue import ALWAYS, ENDINGS, ON_ANSWERS, FaultSupport
from fakemail.types.stage import Stage

_COMMAND: Final = frozenset({Refuse, SendUntagged, CloseAfterReply, *ENDINGS, *ON_ANSWERS})
_INSIDE: Final = frozenset({ByeMidResponse, SuppressUntagged, RemoveMessage, BumpUidvalidity})
_KNOWN: Final = ALWAYS | {"login", "argument"}
_NUMBERED: Final = _KNOWN | {"message"}


def _row(stage: Stage, conditions: frozenset[str], *more: type[FaultAction]) -> FaultSupport:
    return FaultSupport(stage, _COMMAND | {*more}, conditions)


def _inside(stage: Stage, *more: type[FaultAction], conditions: frozenset[str] = _KNOWN) -> FaultSupport:
    return FaultSupport(stage, _COMMAND | _INSIDE | {*more}, conditions)


ROWS: Final = (
    FaultSupport(Stage.IMAP_BANNER, _COMMAND | {Hide, Advertise}, ALWAYS),
    _row(Stage.IMAP_CAPABILITY, ALWAYS | {"login"}, Hide, Advertise),
    _inside(Stage.IMAP_NOOP, FakeSuccess),
    _row(Stage.IMAP_LOGOUT, _KNOWN),
    _row(Stage.IMAP_ID, _KNOWN),
    _row(Stage.IMAP_STARTTLS, ALWAYS, InjectBytes, StarttlsInjection),
    _row(Stage.IMAP_AUTHENTICATE, ALWAYS),
    _row(Stage.IMAP_LOGIN, ALWAYS | {"login"}),
    _row(Stage.IMAP_UNAUTHENTICATE, _KNOWN),
    _row(Stage.IMAP_COMPRESS, _KNOWN),
    _row(Stage.IMAP_ENABLE, _KNOWN, FakeSuccess),
    *(_inside(stage) for stage in (Stage.IMAP_SELECT, Stage.IMAP_EXAMINE, Stage.IMAP_STATUS)),
    *(
        _row(stage, _KNOWN, FakeSuccess)
        for stage in (
            Stage.IMAP_CREATE,
            Stage.IMAP_DELETE,
            Stage.IMAP_RENAME,
            Stage.IMAP_SUBSCRIBE,
            Stage.IMAP_UNSUBSCRIBE,
            Stage.IMAP_SETQUOTA,
            Stage.IMAP_SETMETADATA,
            Stage.IMAP_SETACL,
            Stage.IMAP_DELETEACL,
        )
    ),
    *(
        _row(stage, _KNOWN)
        for stage in (
            Stage.IMAP_LIST,
            Stage.IMAP_LSUB,
            Stage.IMAP_XLIST,
            Stage.IMAP_NAMESPACE,
            Stage.IMAP_NOTIFY,
            Stage.IMAP_GETQUOTA,
            Stage.IMAP_GETQUOTAROOT,
            Stage.IMAP_GETMETADATA,
            Stage.IMAP_GETACL,
            Stage.IMAP_LISTRIGHTS,
            Stage.IMAP_MYRIGHTS,
        )
    ),
    _inside(Stage.IMAP_APPEND, FakeSuccess),
    _inside(Stage.IMAP_IDLE),
    *(
        _inside(stage, FakeSuccess)
        for stage in (Stage.IMAP_CHECK, Stage.IMAP_CLOSE, Stage.IMAP_UNSELECT, Stage.IMAP_EXPUNGE)
    ),
    *(
        _inside(stage)
        for stage in (Stage.IMAP_SEARCH, Stage.IMAP_SORT, Stage.IMAP_THREAD, Stage.IMAP_ESEARCH)
    ),
    _inside(Stage.IMAP_FETCH, TruncateLiteral, WrongSize, conditions=_NUMBERED),
    *(
        _inside(stage, FakeSuccess, conditions=_NUMBERED)
        for stage in (Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE, Stage.IMAP_REPLACE)
    ),
    _row(Stage.IMAP_UNKNOWN, _KNOWN),
)
