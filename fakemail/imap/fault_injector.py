"""How faults strike an IMAP session: what each action does to the command at hand and to its answer.

The session asks before each command, and only while a fault is in force at its host. What is done to the octets of an
answer becomes a script for the connection (:mod:`fakemail.faults.write_script`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fakemail.faults.actions.action import FaultAction, Instead, OnAnswer
from fakemail.faults.actions.connections import CloseConnection
from fakemail.faults.actions.reading import BumpUidvalidity, FakeSuccess, Refuse, RemoveMessage
from fakemail.faults.actions.smtp import Advertise, Hide, StarttlsInjection
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.write_script import ConnectionEnd, Step
from fakemail.imap.commands.compress import Compression
from fakemail.imap.context import ImapBackend, ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.server_kinds import ImapProfile
from fakemail.store.mailbox import Mailbox
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_NUMBERED = frozenset(
    {Stage.IMAP_FETCH, Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE, Stage.IMAP_REPLACE}
)
"""Commands whose first argument says which messages are meant."""


class ImapFaultInjector(ImapContext):
    """The part of a session that faults strike."""

    def __init__(
        self,
        profile: ImapProfile,
        backend: ImapBackend,
        peer: Peer,
        channel: Channel | None,
        *,
        faults: HostFaults | None,
        connection: int,
    ) -> None:
        self._hidden: frozenset[str] = frozenset()
        self._advertised: tuple[str, ...] = ()
        super().__init__(profile, backend, peer, channel)
        self.script: list[Step] = []
        """What goes out before the output that is returned, when a fault has struck."""
        self.closing = False
        self._faults = HostFaults() if faults is None else faults
        self._connection = connection
        self._struck: OnAnswer | None = None
        """What becomes of the answer to the command at hand."""
        self._keeps_plaintext = False
        self._out: list[bytes | memoryview] = []
        self._begun = 0
        """Where in the output the answer to the command at hand begins."""
        self._size = 0
        self._compression: Compression | None = None
        self._uncompressed = b""
        """Output from before compression began."""

    def _is_struck(self, stage: Stage, argument: str, command: object = None) -> bool:
        """Let a fault strike, if one is due at that stage; whether the command has been dealt with."""
        if stage not in self._faults.active:
            return False
        self._struck = None
        self._begun = len(self._out)
        action = self._faults.decide(stage, self._facts(stage, argument, command))
        match action:
            case Refuse(code, text, status):
                if stage is Stage.IMAP_BANNER:
                    self.bye(text, code=code or None, reason=Reason.FAULT)
                else:
                    self._finish(Completed(text, code or None, status, Reason.FAULT))
            case FakeSuccess():
                self._finish(Completed())
            case CloseConnection():
                self.bye("Closing the connection.", code="UNAVAILABLE", reason=Reason.FAULT)
            case Instead():
                self._play(action.script(), stage)
                self._fall_silent()
            case OnAnswer():
                self._struck = action
                return False
            case _:
                self._prepare(action, command)
                return False
        return True

    def _prepare(self, action: FaultAction | None, command: object) -> None:
        """Do what happens before the command is carried out."""
        match action:
            case Hide(keywords):
                self._hidden |= {keyword.upper() for keyword in keywords}
                self.update()
            case Advertise(keywords):
                self._advertised += keywords
            case StarttlsInjection():
                self._keeps_plaintext = True
            case RemoveMessage(number):
                box = self._struck_mailbox(command)
                uids = [] if box is None else box.uids()
                place = number - 1 if number > 0 else number
                if box is not None and -len(uids) <= place < len(uids):
                    box.expunge([uids[place]])
            case BumpUidvalidity():
                box = self._struck_mailbox(command)
                if box is not None and self.account is not None:
                    self.account.renew_uid_validity(box.name)

    def _struck_mailbox(self, command: object) -> Mailbox | None:
        """The mailbox that a command names, or the selected one, or INBOX."""
        if self.account is None:
            return None
        named = getattr(command, "mailbox", None)
        if isinstance(named, str):
            return self.account.find(named)
        return self.account.inbox if self.view is None else self.view.mailbox

    def _facts(self, stage: Stage, argument: str, command: object) -> FaultContext:
        login = self.login or getattr(command, "username", "")
        return FaultContext(
            client=self.peer,
            connection=self._connection,
            service=self.profile.service.name,
            login=login,
            argument="" if stage in (Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE) else argument,
            message=argument.partition(" ")[0] if stage in _NUMBERED else "",
        )

    def _spoil_answer(self) -> None:
        """Hand the answer that is complete now to the fault that has struck."""
        action, self._struck = self._struck, None
        if action is not None:
            answer = b"".join(self._out[self._begun :])
            del self._out[self._begun :]
            self._play(action.script(answer), self._stage)

    def _play(self, steps: Sequence[Step], stage: Stage) -> None:
        """Let the connection do this after all that has been said so far."""
        steps = [b"".join(self._out), *steps]
        self._out.clear()
        self._size = 0
        compression = self._compression
        if compression is not None and compression.is_running:
            steps = [compression.pack(step) if isinstance(step, bytes) and step else step for step in steps]
        self.script += [step for step in (self._uncompressed, *steps) if step != b""]
        self._uncompressed = b""
        self.struck_at = stage
        self._begun = 0
        if steps and isinstance(steps[-1], ConnectionEnd):
            self.closing = True

    # What a client is told that this server can ---------------------------------------------------

    def capability_words(self) -> str:
        """What stands behind CAPABILITY."""
        words = super().capability_words()
        if not self._hidden and not self._advertised:
            return words
        return " ".join(
            [*(word for word in words.split() if word.upper() not in self._hidden), *self._advertised]
        )

    def update(self) -> None:
        """Draw the conclusions from what was enabled, and from what is hidden."""
        super().update()
        if self._hidden:
            self.offered = frozenset(name for name in self.offered if name.upper() not in self._hidden)

    # What the session has -------------------------------------------------------------------------

    struck_at = Stage.IMAP_BANNER

    _stage: Stage
    """The stage of the command at hand."""

    def bye(self, text: str, *, code: str | None = None, reason: Reason = Reason.MAILBOX_LOST) -> None:
        """End the session from our side."""
        raise NotImplementedError

    def _finish(self, done: Completed) -> None:
        """The end of a command."""
        raise NotImplementedError

    def _fall_silent(self) -> None:
        """Write down that there was no answer."""
        raise NotImplementedError
