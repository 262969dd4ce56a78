"""The one interface of a session, as its connection sees it, and what all sessions do alike about faults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from fakemail.faults import actions
from fakemail.faults.action import FaultAction, Instead, OnAnswer
from fakemail.faults.host_faults import HostFaults
from fakemail.protocol.fault_injector import FaultInjector
from fakemail.protocol.output import Output, OutputFilter
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.write_script import Step

FaultActions: TypeAlias = Mapping[type[FaultAction], Callable[[Any, Any], bool]]


def _nobody_waits() -> None:
    """Stand in for a connection."""


class ProtocolSession(ABC):
    """The server's side of one connection: bytes in, bytes out, no socket.

    Call ``greet`` once, then ``feed`` with all that arrives. After each call first carry out ``output.script``, then
    write what was returned, and look at ``wants_tls`` (do the handshake, then call ``secured``), ``closing`` (close the
    connection), ``has_more`` (call ``more`` when the client has taken the output) and ``is_waiting`` (feed nothing
    before ``on_wake`` was called). ``on_wake`` is called when ``poll`` would return something. Call ``close`` when the
    connection is gone.
    """

    def __init__(
        self,
        client: Peer,
        service: str,
        *,
        faults: HostFaults | None = None,
        connection: int = 0,
        output_filter: OutputFilter | None = None,
    ) -> None:
        self.output = Output(output_filter)
        self.login = ""
        self.wants_tls = False
        self.closing = False
        self.has_more = False
        """Whether there is more to answer; ``more`` goes on with it."""
        self.is_waiting = False
        """Whether an answer of the backend is outstanding."""
        self.discarded_plaintext = 0
        """Bytes in clear text that came behind STARTTLS and were thrown away (RFC 3207 §5)."""
        self.on_wake: Callable[[], object] = _nobody_waits
        self._faults = FaultInjector(faults, client, service, connection)
        self._stage = Stage.CONNECT
        """The stage of the command at hand."""

    @abstractmethod
    def greet(self) -> bytes:
        """The first words of the server."""

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take bytes in, give bytes out."""

    def more(self) -> bytes:
        """Go on where ``feed`` stopped, so as not to keep other connections waiting."""
        return b""

    def poll(self) -> bytes:
        """Output that follows from no input: late answers of the backend, changes in a mailbox."""
        return b""

    @property
    def pause(self) -> float:
        """Real seconds that the client needs before ``more``."""
        return 0.0

    @abstractmethod
    def secured(self, channel: Channel) -> None:
        """The TLS handshake is done: forget what was said in clear text."""

    @abstractmethod
    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that has to end the session."""

    def close(self) -> None:
        """The connection is gone: let go of what the session holds."""
        self.closing = True
        self.has_more = False
        self.on_wake = _nobody_waits

    @property
    def in_progress(self) -> str:
        """Words for an unfinished command, empty between commands."""
        return ""

    # Faults --------------------------------------------------------------------------------------

    def _apply_fault(self, action: FaultAction | None) -> bool:
        """Do what a fault wants before the command is carried out; whether the command has been dealt with."""
        faults = self._faults
        faults.on_command = None
        if action is None:
            return False
        if isinstance(action, Instead):
            self._play(action.script())
            self._note_silence()
            return True
        if isinstance(action, OnAnswer):
            faults.on_answer = action
            return False
        apply = self.FAULT_ACTIONS.get(type(action))
        if apply is not None:
            return apply(self, action)
        faults.on_command = action
        return False

    def _play(self, steps: Sequence[Step]) -> None:
        """Let the connection carry out a script after all that was said so far."""
        if self.output.play(steps):
            self._end()

    def _play_answer(self, start: int) -> None:
        """Give the answer, all output from that part on, to the fault that waits for it, if any does."""
        action, self._faults.on_answer = self._faults.on_answer, None
        if isinstance(action, OnAnswer):
            self._play(action.script(self.output.cut(start)))

    def _end(self) -> None:
        """Answer nothing more."""
        self.closing = True
        self.has_more = False

    @abstractmethod
    def _note_silence(self) -> None:
        """Record that the command at hand has no answer."""

    def _hide(self, action: actions.hide) -> bool:
        self._faults.hidden |= {keyword.upper() for keyword in action.keywords}
        return False

    def _advertise(self, action: actions.advertise) -> bool:
        self._faults.advertised += action.keywords
        return False

    def _keep_plaintext(self, _: actions.starttls_injection) -> bool:
        self._faults.keeps_plaintext = True
        return False

    FAULT_ACTIONS: ClassVar[FaultActions] = {
        actions.hide: _hide,
        actions.advertise: _advertise,
        actions.starttls_injection: _keep_plaintext,
    }
    """Methods by the actions that they carry out; each returns whether the command has been dealt with.

    What is not in the table is left to the handler of the command (``FaultInjector.on_command``).
    """
