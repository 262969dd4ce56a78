"""How faults strike a POP3 session: what each action does to the command at hand and to its answer.

The session asks before each command, and only while a fault is in force at its host. What is done to the octets of an
answer becomes a script for the connection (:mod:`fakemail.faults.write_script`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fakemail.faults.actions.action import FaultAction, Instead, OnAnswer
from fakemail.faults.actions.connections import CloseConnection
from fakemail.faults.actions.reading import BumpUidvalidity, FakeSuccess, Refuse, RemoveMessage
from fakemail.faults.actions.smtp import Advertise, Hide, StarttlsInjection
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.write_script import ConnectionEnd, Step
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.framing import Pop3Framing, Pop3Recorder
from fakemail.pop3.replies import ERR, OK, Pop3Reply
from fakemail.store.account import AccountStore
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_NUMBERED = frozenset({Stage.POP3_LIST, Stage.POP3_UIDL, Stage.POP3_RETR, Stage.POP3_TOP, Stage.POP3_DELE})
"""Commands whose argument begins with the number of a message."""
_SECRET = frozenset({Stage.POP3_PASS, Stage.POP3_APOP, Stage.POP3_AUTH})


@dataclass(frozen=True, slots=True)
class ConnectionFaults:
    """What the faults of a host need to know of a connection."""

    faults: HostFaults
    peer: Peer
    connection: int


class Pop3FaultInjector(Pop3Framing):
    """The part of a session that faults strike."""

    def __init__(self, profile: Pop3Profile, record: Pop3Recorder, faulty: ConnectionFaults | None) -> None:
        super().__init__(profile, record)
        self.login = ""
        self._name = ""
        self._faulty = faulty
        self._faults = HostFaults() if faulty is None else faulty.faults
        self._hidden: frozenset[str] = frozenset()
        self._advertised: tuple[str, ...] = ()
        self._struck: OnAnswer | None = None
        """What becomes of the answer to the command at hand."""

    def _is_struck(self, argument: str) -> bool:
        """Let a fault strike, if one is due at this stage; whether the command has been dealt with."""
        stage, faulty = self._stage, self._faulty
        if stage not in self._faults.active or faulty is None:
            return False
        self._struck = None
        login = argument.rpartition(" ")[0] if stage is Stage.POP3_APOP else self.login or self._name
        facts = FaultContext(
            client=faulty.peer,
            connection=faulty.connection,
            service=self.profile.service.name,
            login=login,
            argument="" if stage in _SECRET else argument,
            message=argument.partition(" ")[0] if stage in _NUMBERED else "",
        )
        return self._act(self._faults.decide(stage, facts))

    def _act(self, action: FaultAction | None) -> bool:
        match action:
            case Refuse(code, text):
                self._leave_if_quit()
                self._reply(Pop3Reply(ERR, text, code, Reason.FAULT))
            case FakeSuccess():
                self._leave_if_quit()
                self._reply(Pop3Reply(OK, "done", "", Reason.FAULT))
            case CloseConnection():
                self._end()
                self._reply(Pop3Reply(ERR, "closing the connection", "SYS/TEMP", Reason.FAULT))
            case Instead():
                self._play(action.script())
                self._record(self._stage, self._line, Pop3Reply("", "", "", Reason.FAULT), 0, 0)
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

    def _prepare(self, action: FaultAction | None) -> None:
        """Do what happens before the command is carried out."""
        match action:
            case Hide(keywords):
                self._hidden |= {keyword.upper() for keyword in keywords}
            case Advertise(keywords):
                self._advertised += keywords
            case StarttlsInjection():
                self._keeps_plaintext = True
            case RemoveMessage(number) if (account := self._account()) is not None:
                uids = account.inbox.uids()
                place = number - 1 if number > 0 else number
                if -len(uids) <= place < len(uids):
                    account.inbox.expunge([uids[place]])
            case BumpUidvalidity() if (account := self._account()) is not None:
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
        if steps and isinstance(steps[-1], ConnectionEnd):
            self._end()

    def _listed(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """What CAPA lists."""
        return (
            tuple(each for each in lines if each.split(" ")[0].upper() not in self._hidden) + self._advertised
        )

    def _account(self) -> AccountStore | None:
        """The account of somebody who has logged in."""
        raise NotImplementedError
