"""What can go wrong at each stage of IMAP."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.action import Action
from fakemail.faults.actions.answers import Inject
from fakemail.faults.actions.reading import (
    ByeInside,
    CutLiteral,
    EndBehind,
    HideNews,
    Refuse,
    RemoveMessage,
    RenewUids,
    SayUnasked,
    SayYes,
    WrongSize,
)
from fakemail.faults.actions.smtp import Advertise, Hide, KeepPlaintext
from fakemail.faults.table import ALWAYS, ENDINGS, ON_ANSWERS, Row
from fakemail.terms.stage import Stage

_COMMAND: Final = frozenset({Refuse, SayUnasked, EndBehind, *ENDINGS, *ON_ANSWERS})
_INSIDE: Final = frozenset({ByeInside, HideNews, RemoveMessage, RenewUids})
_KNOWN: Final = ALWAYS | {"login", "argument"}
_NUMBERED: Final = _KNOWN | {"message"}


def _row(stage: Stage, conditions: frozenset[str], *more: type[Action]) -> Row:
    return Row(stage, _COMMAND | {*more}, conditions)


def _inside(stage: Stage, *more: type[Action], conditions: frozenset[str] = _KNOWN) -> Row:
    return Row(stage, _COMMAND | _INSIDE | {*more}, conditions)


ROWS: Final = (
    Row(Stage.IMAP_BANNER, _COMMAND | {Hide, Advertise}, ALWAYS),
    _row(Stage.IMAP_CAPABILITY, ALWAYS | {"login"}, Hide, Advertise),
    _inside(Stage.IMAP_NOOP, SayYes),
    _row(Stage.IMAP_LOGOUT, _KNOWN),
    _row(Stage.IMAP_ID, _KNOWN),
    _row(Stage.IMAP_STARTTLS, ALWAYS, Inject, KeepPlaintext),
    _row(Stage.IMAP_AUTHENTICATE, ALWAYS),
    _row(Stage.IMAP_LOGIN, ALWAYS | {"login"}),
    _row(Stage.IMAP_UNAUTHENTICATE, _KNOWN),
    _row(Stage.IMAP_COMPRESS, _KNOWN),
    _row(Stage.IMAP_ENABLE, _KNOWN, SayYes),
    *(_inside(stage) for stage in (Stage.IMAP_SELECT, Stage.IMAP_EXAMINE, Stage.IMAP_STATUS)),
    *(
        _row(stage, _KNOWN, SayYes)
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
    _inside(Stage.IMAP_APPEND, SayYes),
    _inside(Stage.IMAP_IDLE),
    *(
        _inside(stage, SayYes)
        for stage in (Stage.IMAP_CHECK, Stage.IMAP_CLOSE, Stage.IMAP_UNSELECT, Stage.IMAP_EXPUNGE)
    ),
    *(
        _inside(stage)
        for stage in (Stage.IMAP_SEARCH, Stage.IMAP_SORT, Stage.IMAP_THREAD, Stage.IMAP_ESEARCH)
    ),
    _inside(Stage.IMAP_FETCH, CutLiteral, WrongSize, conditions=_NUMBERED),
    *(
        _inside(stage, SayYes, conditions=_NUMBERED)
        for stage in (Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE, Stage.IMAP_REPLACE)
    ),
    _row(Stage.IMAP_UNKNOWN, _KNOWN),
)
