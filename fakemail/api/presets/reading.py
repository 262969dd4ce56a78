"""Faults of IMAP and POP3 as a test sets them on a host."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakemail.api.presets.adding import FaultTarget
from fakemail.errors import DeclarationError
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import Delay, DropReply, PartialReply
from fakemail.faults.actions.reading import (
    BumpUidvalidity,
    ByeMidResponse,
    ChangeUidl,
    CloseAfterReply,
    FakeSuccess,
    NoFinalDot,
    Refuse,
    RemoveMessage,
    SendUntagged,
    SuppressUntagged,
    TruncateLiteral,
    WrongSize,
)
from fakemail.faults.context import IdleMoment
from fakemail.faults.write_script import read_end
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.faults import Fault

_IMAP_LOGIN = (Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE)
_POP3_LOGIN = (Stage.POP3_PASS, Stage.POP3_AUTH)


class ReadingPresets(FaultTarget):
    """What can go wrong where mail is read. ``where_and_when`` is as in :meth:`~fakemail.api.faults.Faults.add`."""

    # Both protocols ------------------------------------------------------------------------------

    def refuse(
        self,
        stage: Stage,
        code: str = "",
        text: str = "not today",
        *,
        bad: bool = False,
        **where_and_when: Any,
    ) -> Fault:
        """Refuse a command of IMAP or POP3, perhaps with a response code: ``NO [UNAVAILABLE] not today``.

        ``bad`` makes it BAD in IMAP: what the client said is wrong.
        """
        return self.add(
            stage, Refuse(code.strip("[]").upper(), text, "BAD" if bad else "NO"), **where_and_when
        )

    def fake_success(self, stage: Stage, **where_and_when: Any) -> Fault:
        """Say that a command was carried out (STORE, APPEND, EXPUNGE, DELE, QUIT...), and do nothing."""
        return self.add(stage, FakeSuccess(), **where_and_when)

    def remove_message(self, stage: Stage, number: int = 1, **where_and_when: Any) -> Fault:
        """Before a command of IMAP or POP3, somebody else removes a message of the mailbox; -1 is the last."""
        return self.add(stage, RemoveMessage(number), **where_and_when)

    # IMAP ----------------------------------------------------------------------------------------

    def reject_login(
        self, code: str = "AUTHENTICATIONFAILED", text: str = "Authentication failed.", **where_and_when: Any
    ) -> Fault:
        """LOGIN and AUTHENTICATE are refused: ``"UNAVAILABLE"``, ``"EXPIRED"``, ``"LIMIT"``... (RFC 5530)."""
        return self._at_login(_IMAP_LOGIN, Refuse(code, text), where_and_when)

    def throttle_login(self, span: timedelta, **where_and_when: Any) -> Fault:
        """LOGIN and AUTHENTICATE are answered late, as after too many tries."""
        return self._at_login(_IMAP_LOGIN, Delay(span), where_and_when)

    def over_quota(self, **where_and_when: Any) -> Fault:
        """APPEND is refused, for the account is full: ``NO [OVERQUOTA]`` (RFC 9208 §4.3.1)."""
        return self.add(Stage.IMAP_APPEND, Refuse("OVERQUOTA", "The account is full."), **where_and_when)

    def bump_uidvalidity(self, stage: Stage = Stage.IMAP_SELECT, **where_and_when: Any) -> Fault:
        """Before the command the mailbox gets another UIDVALIDITY and other uids (RFC 9051 §2.3.1.1).

        At SELECT the client sees the new one; in the middle of a session it is sent away.
        """
        return self.add(stage, BumpUidvalidity(), **where_and_when)

    def concurrent_expunge(self, number: int = 1, **where_and_when: Any) -> Fault:
        """Before FETCH is answered, another client expunges a message."""
        return self.remove_message(Stage.IMAP_FETCH, number, **where_and_when)

    def bye_in_fetch(
        self, code: str = "UNAVAILABLE", text: str = "The server is going down.", **where_and_when: Any
    ) -> Fault:
        """In the middle of the answer to FETCH the server says BYE and closes."""
        return self.add(Stage.IMAP_FETCH, ByeMidResponse(code, text), **where_and_when)

    def drop_in_literal(self, then: str = "drop", **where_and_when: Any) -> Fault:
        """The connection ends, or hangs, in the middle of a literal that FETCH sends."""
        return self.add(Stage.IMAP_FETCH, TruncateLiteral(read_end(then)), **where_and_when)

    def wrong_literal_size(self, by: int = 1, **where_and_when: Any) -> Fault:
        """FETCH announces a literal of so many octets more (or less) than it sends."""
        return self.add(Stage.IMAP_FETCH, WrongSize(by), **where_and_when)

    def drop_idle(self, *, at: str = "start", how: str = "drop", **where_and_when: Any) -> Fault:
        """The connection ends in IDLE: behind the go-ahead, or ``at="news"`` instead of telling what has come."""
        end = read_end(how)
        moments: dict[str, FaultAction] = {"start": CloseAfterReply(end), "news": DropReply(end)}
        if at not in moments:
            raise DeclarationError(
                f"drop_idle: a connection in IDLE ends at 'start' or at 'news', not {at!r}."
            )
        return self.add(Stage.IMAP_IDLE, moments[at], argument=IdleMoment(at).value, **where_and_when)

    def suppress_untagged(self, stage: Stage = Stage.IMAP_IDLE, **where_and_when: Any) -> Fault:
        """Messages that have come or gone are not told of: no EXISTS, no EXPUNGE, in IDLE or in another answer."""
        return self.add(stage, SuppressUntagged(), **where_and_when)

    def send_untagged(self, stage: Stage, *responses: str, **where_and_when: Any) -> Fault:
        """Say untagged responses before an answer of IMAP: ``"3 EXISTS"``, ``"OK [ALERT] Maintenance tonight"``."""
        return self.add(stage, SendUntagged(responses), **where_and_when)

    # POP3 ----------------------------------------------------------------------------------------

    def lock_maildrop(self, **where_and_when: Any) -> Fault:
        """PASS and AUTH are refused, for another session has the maildrop: ``-ERR [IN-USE]`` (RFC 2449 §8.1.2)."""
        return self._at_login(
            _POP3_LOGIN, Refuse("IN-USE", "another session has the maildrop"), where_and_when
        )

    def reject_pop3_login(
        self, code: str = "AUTH", text: str = "authentication failed", **where_and_when: Any
    ) -> Fault:
        """PASS and AUTH are refused: ``"AUTH"``, ``"LOGIN-DELAY"``, ``"SYS/TEMP"``, ``"SYS/PERM"`` (RFC 3206)."""
        return self._at_login(_POP3_LOGIN, Refuse(code, text), where_and_when)

    def drop_in_retr(self, then: str = "drop", **where_and_when: Any) -> Fault:
        """The connection ends in the middle of a message that RETR sends."""
        return self.add(Stage.POP3_RETR, PartialReply(read_end(then)), **where_and_when)

    def no_final_dot(self, stage: Stage = Stage.POP3_RETR, **where_and_when: Any) -> Fault:
        """The dot that ends a long answer does not come."""
        return self.add(stage, NoFinalDot(), **where_and_when)

    def wrong_octet_count(self, by: int = 1, **where_and_when: Any) -> Fault:
        """RETR says that the message is so many octets longer (or shorter) than it is."""
        return self.add(Stage.POP3_RETR, WrongSize(by), **where_and_when)

    def change_uidl(self, prefix: str = "other-", **where_and_when: Any) -> Fault:
        """UIDL calls every message otherwise than before."""
        return self.add(Stage.POP3_UIDL, ChangeUidl(prefix), **where_and_when)

    def keep_deleted(self, *, silently: bool = False, **where_and_when: Any) -> Fault:
        """QUIT removes nothing that was marked with DELE: it fails, or ``silently`` says yes (RFC 1939 §6)."""
        failing = Refuse("SYS/TEMP", "some deleted messages were not removed")
        return self.add(Stage.POP3_QUIT, FakeSuccess() if silently else failing, **where_and_when)

    def _at_login(
        self, stages: tuple[Stage, Stage], do: FaultAction, where_and_when: dict[str, Any]
    ) -> Fault:
        """One fault at both ways to log in, of which a client takes one; who it is is told at the first only."""
        if "login" in where_and_when:
            return self.add(stages[0], do, **where_and_when)
        fault = self.add(stages[0], do, **where_and_when)
        fault.accompany(self.add(stages[1], do, **where_and_when))
        return fault
