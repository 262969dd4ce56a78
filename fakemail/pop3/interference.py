"""How faults strike a POP3 session: what each action does to the command at hand and to its answer.

The session asks before each command, and only while a fault is in force at its host. What is done to the octets of an
answer becomes a script for the connection (:mod:`fakemail.faults.steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fakemail.faults.actions.action import Action, Instead, OnAnswer
from fakemail.faults.actions.connections import Close
from fakemail.faults.actions.reading import Refuse, RemoveMessage, RenewUids, SayYes
from fakemail.faults.actions.smtp import Advertise, Hide, KeepPlaintext
from fakemail.faults.book import Book
from fakemail.faults.facts import Facts
from fakemail.faults.steps import End, Step
from fakemail.pop3.capabilities import Profile
from fakemail.pop3.dialogue import Dialogue, Recorder
from fakemail.pop3.replies import ERR, OK, Answer
from fakemail.store.account import AccountStore
from fakemail.terms.peer import Peer
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage

_NUMBERED = frozenset({Stage.POP3_LIST, Stage.POP3_UIDL, Stage.POP3_RETR, Stage.POP3_TOP, Stage.POP3_DELE})
"""Commands whose argument begins with the number of a message."""
_SECRET = frozenset({Stage.POP3_PASS, Stage.POP3_APOP, Stage.POP3_AUTH})


@dataclass(frozen=True, slots=True)
class Faulty:
    """What the faults of a host need to know of a connection."""

    faults: Book
    peer: Peer
    connection: int


class Interference(Dialogue):
    """The part of a session that faults strike."""

    def __init__(self, profile: Profile, record: Recorder, faulty: Faulty | None) -> None:
        super().__init__(profile, record)
        self.login = ""
        self._name = ""
        self._faulty = faulty
        self._faults = Book() if faulty is None else faulty.faults
        self._hidden: frozenset[str] = frozenset()
        self._advertised: tuple[str, ...] = ()
        self._struck: OnAnswer | None = None
        """What becomes of the answer to the command at hand."""

    def _is_struck(self, argument: str) -> bool:
        """Let a fault strike, if one is due at this stage; whether the command has been dealt with."""
        stage, faulty = self._stage, self._faulty
        if stage not in self._faults.in_force or faulty is None:
            return False
        self._struck = None
        login = argument.rpartition(" ")[0] if stage is Stage.POP3_APOP else self.login or self._name
        facts = Facts(
            client=faulty.peer,
            connection=faulty.connection,
            service=self.profile.service.name,
            login=login,
            argument="" if stage in _SECRET else argument,
            message=argument.partition(" ")[0] if stage in _NUMBERED else "",
        )
        return self._act(self._faults.decide(stage, facts))

    def _act(self, action: Action | None) -> bool:
        match action:
            case Refuse(code, text):
                self._leave_if_quit()
                self._say(Answer(ERR, text, code, Reason.FAULT))
            case SayYes():
                self._leave_if_quit()
                self._say(Answer(OK, "done", "", Reason.FAULT))
            case Close():
                self._end()
                self._say(Answer(ERR, "closing the connection", "SYS/TEMP", Reason.FAULT))
            case Instead():
                self._play(action.script())
                self._record(self._stage, self._line, Answer("", "", "", Reason.FAULT), 0, 0)
            case OnAnswer():
                self._struck = action
                return False
            case _:
                self._prepare(action)
                return False
        return True

    def _leave_if_quit(self) -> None:
        """QUIT ends the session whatever is said, and then nothing is removed (RFC 1939 §6)."""
        if self._stage is Stage.POP3_QUIT:
            self._end()

    def _prepare(self, action: Action | None) -> None:
        """Do what happens before the command is carried out."""
        match action:
            case Hide(keywords):
                self._hidden |= {keyword.upper() for keyword in keywords}
            case Advertise(keywords):
                self._advertised += keywords
            case KeepPlaintext():
                self._keeps_plaintext = True
            case RemoveMessage(number) if (account := self._account()) is not None:
                uids = account.inbox.uids()
                place = number - 1 if number > 0 else number
                if -len(uids) <= place < len(uids):
                    account.inbox.expunge([uids[place]])
            case RenewUids() if (account := self._account()) is not None:
                account.renew_uid_validity(account.inbox.name)

    def _spoil_answer(self) -> None:
        """Hand the whole answer to the fault that has struck."""
        action, self._struck = self._struck, None
        if action is not None:
            answer = b"".join([*self._out, *(self._pieces or ())])
            self._out.clear()
            self._pieces = None
            self._play(action.script(answer))

    def _play(self, steps: Sequence[Step]) -> None:
        """Let the connection do this after all that has been said so far."""
        self.script += [*self._out, *steps]
        self.struck_at = self._stage
        self._out.clear()
        if steps and isinstance(steps[-1], End):
            self._end()

    def _listed(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """What CAPA lists."""
        return (
            tuple(each for each in lines if each.split(" ")[0].upper() not in self._hidden) + self._advertised
        )

    def _account(self) -> AccountStore | None:
        """The account of somebody who has logged in."""
        raise NotImplementedError
