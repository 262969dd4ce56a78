"""The server's side of an IMAP connection: bytes in, bytes out, no socket (RFC 9051, RFC 3501).

``feed`` takes whatever arrived and returns what there is to answer, ``more`` goes on while ``has_more`` is set,
and ``poll`` returns what may be sent unasked. Commands are in :mod:`fakemail.imap.commands`, the state that they
read and change is in the base class, :mod:`fakemail.imap.context`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Final

from fakemail.events.secrets import SecretDetector, mask_line, mask_response
from fakemail.faults import actions
from fakemail.faults.context import IdleMoment
from fakemail.faults.host_faults import HostFaults
from fakemail.grease import Grease
from fakemail.imap.command import AllowedUpdates, Command, Unrecognized
from fakemail.imap.command_table import COMMANDS, parse
from fakemail.imap.commands.compress import Compression
from fakemail.imap.commands.notify import send_notifications
from fakemail.imap.context import ImapBackend, ImapContext
from fakemail.imap.responses import (
    AwaitContinuation,
    CommandRefused,
    Completed,
    Outcome,
    Streaming,
    store_refusal,
)
from fakemail.imap.server_kinds import ImapProfile
from fakemail.imap.syntax import framing, printing
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.framing import LITERAL_MARK, Announced, ContinuationWanted, Frame, Framer
from fakemail.imap.syntax.scanner import CommandError, UnknownCommand
from fakemail.imap.updates import send_updates
from fakemail.protocol.recorder import CommandRecorder
from fakemail.protocol.session import FaultActions, ProtocolSession
from fakemail.store.errors import StoreError
from fakemail.store.mailbox import Mailbox
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

CHUNK: Final = 64 * 1024
"""Bytes of output after which other connections get their turn; ``more`` goes on."""
_COMMANDS_AT_ONCE: Final = 250
_RECORDED: Final = 1000  # characters of a command that are written down
_BEFORE_LOGIN: Final = 8 * 1024  # bytes of literals in one command before the login
# Where a command may have a secret in it: also in what could not be read.
_SECRET: Final = frozenset({Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE, Stage.IMAP_UNKNOWN})
# Commands whose first argument is the set of messages.
_NUMBERED: Final = frozenset(
    {Stage.IMAP_FETCH, Stage.IMAP_STORE, Stage.IMAP_COPY, Stage.IMAP_MOVE, Stage.IMAP_REPLACE}
)
_PAUSE: Final = 0.01  # real seconds
_PROMPT: Final = printing.continuation("Ready for literal data.")


class ImapSession(ProtocolSession, ImapContext):
    """The dialogue of one IMAP connection."""

    def __init__(
        self,
        profile: ImapProfile,
        backend: ImapBackend,
        record: CommandRecorder,
        peer: Peer,
        channel: Channel | None = None,
        *,
        faults: HostFaults | None = None,
        connection: int = 0,
        grease: Grease | None = None,
    ) -> None:
        ProtocolSession.__init__(
            self, peer, profile.service.name, faults=faults, connection=connection, output_filter=grease
        )
        self._grease = grease
        self._woken = False
        self._compression: Compression | None = None
        ImapContext.__init__(self, profile, backend, peer, channel)
        self._record = record
        self._framer = self._make_framer()
        self._injected_plaintext = b""
        """Clear text from behind STARTTLS, where a fault lets it count."""
        self._errors = 0
        # The command that is being answered
        self._kind: type[Command] = Unrecognized
        self._stage = Unrecognized.stage
        self._tag: str | None = None
        self._line = ""
        self._suspicion = SecretDetector()
        self._by_uid = False
        self._streaming: Streaming | None = None
        self._awaiting: AwaitContinuation | None = None
        self._rest: memoryview | None = None
        self._responses = 0
        self._response_bytes = 0
        self._size = 0
        """Bytes of output since its end was last taken."""
        self._begun = 0
        """The part of the output with which the answer to the command at hand begins."""
        self._target: object = None
        """The mailbox that the command at hand names."""

    # What the connection calls -------------------------------------------------------------------

    def greet(self) -> bytes:
        """The greeting (RFC 9051 §7.1)."""
        self._stage_unasked(Stage.IMAP_BANNER)
        if self._faults.host.active and self._inject(Stage.IMAP_BANNER, ""):
            return self.output.take()
        imap = self.profile.imap
        text = imap.greeting
        code = f"CAPABILITY {self.capability_words()}" if imap.volunteers_capabilities else None
        self._emit(printing.condition("OK", text, code=code))
        self._record(Stage.IMAP_BANNER, "", "OK", "", text, 0, 0, None)
        self._play_answer(self._begun)
        return self.output.take()

    def feed(self, data: bytes) -> bytes:
        """Take bytes in, give bytes out. While ``has_more`` is set, better give it nothing and call ``more``."""
        if self.closing or self.wants_tls:
            return b""
        if self._compression is not None:
            self._compression.feed(data)
        else:
            self._framer.feed(data)
        return self.more()

    def more(self) -> bytes:
        """Go on with what has arrived, and with an answer that was not finished."""
        self._run()
        return self._take_output()

    @property
    def pause(self) -> float:
        """Real seconds for a client that has begun IDLE to take ``+ idling`` before what is pending comes.

        imaplib reads lines through a buffer, and IMAPClient and imap-tools wait at the socket below it, where they do
        not see what is in the buffer already.
        """
        return _PAUSE if self.idling else 0.0

    def poll(self) -> bytes:
        """Updates that may be sent now without being asked: during IDLE, and after NOTIFY (RFC 2177, RFC 5465)."""
        self._woken = False
        if not self.closing:
            self._send_unasked()
        return self._take_output(whole=True)

    def secured(self, channel: Channel) -> None:
        """TLS is active: forget all that came in clear text (RFC 9051 §11.1)."""
        self.wants_tls = False
        self.channel = channel
        self._framer = self._make_framer()
        self._framer.feed(self._injected_plaintext)
        self._injected_plaintext = b""
        self.forget_login()

    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that must end the session (RFC 9051 §7.1.5)."""
        code, text = _LAST_WORDS.get(reason, (None, "Closing the connection."))
        if self._rest is not None:  # inside a literal, where a response would be taken for its bytes
            self._end()
            return b""
        self._stage_unasked(Stage.DISCONNECT)
        self.bye(text, code=code, reason=reason)
        return self._take_output(whole=True)

    def close(self) -> None:
        """The connection is gone: cancel subscriptions, and let go of what refers to this session."""
        super().close()
        self._streaming = self._rest = self._awaiting = self._compression = None
        self._framer = Framer()
        self.forget_login()

    @property
    def in_progress(self) -> str:
        """The command that is being read or answered, in words; empty between commands."""
        if self._awaiting is not None or self._streaming is not None:
            return f"inside {self._kind.name}"
        return "inside a command" if self._framer.in_command else ""

    # What commands call --------------------------------------------------------------------------

    def say(self, *responses: bytes) -> None:
        """Send untagged responses, whole ones."""
        if self._grease is not None:
            responses = tuple(map(self._grease.response, responses))
        self.output.parts += responses
        size = sum([len(response) for response in responses])
        self._size += size
        self._response_bytes += size
        self._responses += len(responses)

    def bye(self, text: str, *, code: str | None = None, reason: Reason = Reason.MAILBOX_LOST) -> None:
        """End the session from the server's side."""
        self._emit(printing.condition("BYE", text, code=code))
        self._record(
            self._stage, self._line, "BYE", code or "", text, self._responses, self._response_bytes, reason
        )
        self._end()

    def start_compression(self) -> None:
        """Compress from the end of this command on, both ways (RFC 4978 §3)."""
        self._compression = Compression()
        self.is_compressed = True

    def wake(self) -> None:
        """Ask to be polled, for a change that the client may want to know."""
        if not self._woken and (self.idling or self.notifications is not None):
            self._woken = True
            self.on_wake()

    @property
    def tag(self) -> str:
        """The tag of the running command."""
        return self._tag or ""

    # Running -------------------------------------------------------------------------------------

    def _run(self) -> None:
        self.has_more = False
        self._size = 0
        left = _COMMANDS_AT_ONCE
        while not self.closing and not self.wants_tls:
            if (self._size >= CHUNK and self._faults.on_answer is None) or not left:
                self.has_more = self._has_work
                return
            if self._streaming is not None:
                self._stream(self._streaming)
                continue
            event = self._next_event()
            if event is None:
                break
            left -= 1
            self._take(event)
        if self.wants_tls:
            # Clear text behind STARTTLS may have been injected by another (RFC 9051 §6.2.1).
            rest = self._framer.take_rest()
            if self._faults.keeps_plaintext:
                self._injected_plaintext = rest
            else:
                self.discarded_plaintext = len(rest)
        elif not self.closing:
            if self.idling and self.output.parts and self.view is not None and self.view.has_updates:
                self.has_more = (
                    True  # right behind "+ idling", but for itself: the connection may pause between
                )
            else:
                self._send_unasked()

    @property
    def _has_work(self) -> bool:
        packed = self._compression is not None and self._compression.has_input
        return self._streaming is not None or bool(self._framer.buffered) or packed

    def _next_event(self) -> framing.Event | None:
        while True:
            event = self._framer.next_event(plain=self._awaiting is not None)
            if event is not None or self._compression is None:
                return event
            data = self._compression.take()
            if data is None:
                self.bye("The compressed data is broken.", reason=Reason.PROTOCOL_ERROR)
            if not data:
                return None
            self._framer.feed(data)

    def _take(self, event: framing.Event) -> None:
        if isinstance(event, ContinuationWanted):
            self._emit(_PROMPT)
        elif isinstance(event, Frame):
            if self._awaiting is not None:
                self._continuation(self._awaiting, event.text)
            else:
                self._command(event)
        else:
            self._begin(Unrecognized, event.tag, "")
            self._finish(Completed(event.text, event.code, event.response, Reason.BAD_SYNTAX))
            if event.closes:
                self.bye("What follows cannot be understood.", reason=Reason.PROTOCOL_ERROR)

    def _continuation(self, awaiting: AwaitContinuation, text: str) -> None:
        """Hand the running command the line that it waits for."""
        secret = self._stage is Stage.IMAP_AUTHENTICATE
        self._line = mask_response(text) if secret else text[:_RECORDED]
        if self._faults.host.active and self._inject(self._stage, IdleMoment.DONE.value):
            self._awaiting, self.idling = None, False
            return
        self._run_handler(lambda: awaiting.on_line(text))

    def _command(self, frame: Frame) -> None:
        line = _recorded(frame)
        tag: str | None
        command: Command | None = None
        wrong: Completed | None = None
        try:
            request = parse(frame, self.dialect)
            tag, command = request.tag, request.command
            kind = type(command)
        except CommandError as error:
            tag, text = error.tag, error.text
            first_word = line.partition(" ")[2].partition(" ")[0]
            kind = COMMANDS.get(error.command or first_word.upper(), Unrecognized)
            if kind is Unrecognized:
                masked = self._suspicion.mask(line)
                if masked != line:
                    line, text = masked, "There is no such command."  # the text may repeat the line
            unknown = isinstance(error, UnknownCommand)
            reason = Reason.UNKNOWN_COMMAND if unknown else Reason.BAD_SYNTAX
            wrong = Completed(text, error.code, error.response, reason)
        if kind is not Unrecognized:
            self._suspicion.is_awake = kind.stage is Stage.IMAP_AUTHENTICATE
        self._begin(kind, tag, line)
        # RFC 9051 §7.5.1: with UID in front, FETCH, STORE and SEARCH are other commands, which allow all updates
        self._by_uid = getattr(command, "uid", False)
        if self.view is not None and self.view.lost:
            self.bye(self.view.lost)
            return
        if self._faults.host.active:
            argument = IdleMoment.START.value if kind.stage is Stage.IMAP_IDLE else _argument(line)
            if self._inject(kind.stage, argument, command):
                return
        wrong = self._refusal(kind, command) or wrong
        if wrong is not None:
            self._finish(wrong)
        elif command is not None:
            self._run_handler(partial(command.run, self))

    def _refusal(self, kind: type[Command], command: Command | None) -> Completed | None:
        """The refusal of a command that is not there or not legal in this state, which comes before its grammar."""
        missing = "" if command is None else command.missing(self.offered)
        if not kind.exists(self.offered):
            missing = f"There is no command {kind.name} here."
        if missing:
            return Completed(missing, None, "BAD", Reason.UNKNOWN_COMMAND)
        if kind is not Unrecognized and self.state not in kind.states:
            return Completed(kind.out_of_order(self.state), None, "BAD", Reason.BAD_SEQUENCE)
        return None

    def _run_handler(self, handler: Callable[[], Outcome]) -> None:
        self._awaiting = None
        self.is_acting = True
        try:
            outcome = handler()
        except CommandRefused as refused:
            outcome = refused.done
        except StoreError as error:
            outcome = store_refusal(error, target=self._kind.has_target).done
        finally:
            self.is_acting = False
        if isinstance(outcome, Completed):
            self._finish(outcome)
        elif isinstance(outcome, Streaming):
            self._streaming = outcome
        else:
            self._awaiting = outcome
            self._emit(printing.continuation(outcome.prompt))
            self._note("+", "", "")
            self._play_answer(self._begun)

    def _stream(self, streaming: Streaming) -> None:
        """Make about a chunk of output."""
        if self._rest is not None:
            self._emit(bytes(self._rest[:CHUNK]))
            self._rest = self._rest[CHUNK:] or None
            return
        end = streaming.end
        try:
            for batch in streaming.batches:
                if len(batch[-1]) > CHUNK:
                    self._rest = memoryview(batch.pop())
                    self._responses += 1
                    self._response_bytes += len(self._rest)
                self.say(*batch)
                if self._rest is not None or self._size >= CHUNK:
                    return
        except CommandRefused as refused:
            end = refused.done
        self._streaming = None
        self._finish(end)

    def _begin(self, kind: type[Command], tag: str | None, line: str) -> None:
        self._kind, self._stage, self._tag, self._line = kind, kind.stage, tag, line
        self._responses = self._response_bytes = 0

    def _finish(self, done: Completed) -> None:
        """End a command: updates, then its tagged response."""
        text = done.text or f"{self._kind.name} completed."
        if self._grease is not None:
            self._add_unsolicited(self._grease, done)
            text = self._grease.imap_text(text)
        if self._is_closing():
            return
        kind, status = self._kind, done.status
        if self.view is not None and status != "BAD" and kind.updates is not AllowedUpdates.NONE:
            if self.sends_selected:
                send_updates(self, expunges=kind.updates is AllowedUpdates.ALL or self._by_uid)
            if self._is_closing():
                return
        if self._tag is None:
            self._emit(printing.condition(status, text, code=done.code, utf8=self.utf8))
        else:
            self._emit(printing.tagged(self._tag, status, text, code=done.code, utf8=self.utf8))
        code = done.code.decode("utf-8", "replace") if isinstance(done.code, bytes) else done.code or ""
        self._note(status, code, text, done.reason)
        if self._faults.on_answer is not None:
            self._play_answer(self._begun)
        if self.leaving:
            self._end()
        elif status == "BAD" or done.reason is Reason.AUTH_FAILED:
            self._errors += 1
            if self._errors > self.profile.host.options.max_errors:
                self._stage_unasked(self._stage)
                self.bye("Too many errors.", reason=Reason.TOO_MANY_ERRORS)
        if self._compression is not None and not self._compression.is_running:
            self.output.encode_from_now_on(self._compression.pack)
            self._compression.start(self._framer.take_rest())

    def _add_unsolicited(self, grease: Grease, done: Completed) -> None:
        """Send what a server may send at any time, behind what was asked for (RFC 9051 §7)."""
        if self._tag is None or self.closing:
            return
        self._emit(grease.unasked())
        view = self.view
        if view is None or self._stage is not Stage.IMAP_FETCH or done.status != "OK":
            return
        first = next(iter(view.everything()), None)
        # After CONDSTORE flags come with a MODSEQ, and with UIDONLY without a number.
        if first is None or self.condstore or self.uid_only or not grease.repeats():
            return
        number, message = first
        flags = view.flag_text(message, with_recent=not self.rev2)
        self.say(b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, message.uid, flags))

    def _is_closing(self) -> bool:
        return self.closing

    def _send_unasked(self) -> None:
        """Send updates, if the client waits for them and no command is in progress."""
        notifications = self.notifications
        busy = (
            self._streaming is not None
            or self._framer.in_command
            or (self._awaiting is not None and not self.idling)
        )
        if busy or not (self.idling or notifications is not None):
            return
        before = self._kind, self._stage, self._tag, self._line
        stage = Stage.IMAP_IDLE if self.idling else Stage.IMAP_NOTIFY
        self._stage_unasked(stage)
        begun = len(self.output.parts)
        if self.sends_selected:
            send_updates(self, expunges=self.idling or (notifications is not None and notifications.at_once))
        if notifications is not None and not self.closing:
            send_notifications(self)
        if self._responses and not self.closing:
            self._note("*", "", "")
            if self._faults.host.active:
                self._inject_unasked(stage, begun)
        self._kind, self._stage, self._tag, self._line = before

    def _inject_unasked(self, stage: Stage, begun: int) -> None:
        """Let a fault fire at what is sent unasked."""
        parts = self.output.parts[begun:]
        del self.output.parts[begun:]
        if not self._inject(stage, IdleMoment.UPDATES.value):
            self.output.parts += parts
            self._play_answer(begun)

    def _stage_unasked(self, stage: Stage) -> None:
        self._begin(Unrecognized, None, "")
        self._stage = stage

    def _note(self, status: str, code: str, text: str, reason: Reason | None = None) -> None:
        stage, line = self._stage, self._line
        if stage in _SECRET:
            line = mask_line(stage, line)
            if status == "OK":
                self._suspicion.is_awake = False
        self._record(stage, line, status, code, text, self._responses, self._response_bytes, reason)
        self._responses = self._response_bytes = 0

    def _end(self) -> None:
        super()._end()
        self.forget_login()

    # Faults --------------------------------------------------------------------------------------

    def _inject(self, stage: Stage, argument: str, command: Command | None = None) -> bool:
        """Let a fault fire, if one is due at that stage; whether the command has been dealt with."""
        faults = self._faults
        if stage not in faults.host.active:
            return False
        self._begun = len(self.output.parts)
        self._target = getattr(command, "mailbox", None)
        action = faults.decide(
            stage,
            login=self.login or getattr(command, "username", ""),
            argument="" if stage in (Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE) else argument,
            message=argument.partition(" ")[0] if stage in _NUMBERED else "",
        )
        return self._apply_fault(action)

    def _note_silence(self) -> None:
        self._awaiting, self.idling = None, False
        self._note("", "", "", Reason.FAULT)

    def _refuse(self, action: actions.refuse) -> bool:
        if self._stage is Stage.IMAP_BANNER:
            self.bye(action.text, code=action.code or None, reason=Reason.FAULT)
        else:
            self._finish(Completed(action.text, action.code or None, action.status, Reason.FAULT))
        return True

    def _fake_success(self, _: actions.fake_success) -> bool:
        self._finish(Completed())
        return True

    def _close_by_fault(self, _: actions.close) -> bool:
        self.bye("Closing the connection.", code="UNAVAILABLE", reason=Reason.FAULT)
        return True

    def _hide(self, action: actions.hide) -> bool:
        super()._hide(action)
        self.update()
        return False

    def _remove_message(self, action: actions.remove_message) -> bool:
        box = self._target_mailbox()
        uids = [] if box is None else box.uids()
        place = action.number - 1 if action.number > 0 else action.number
        if box is not None and -len(uids) <= place < len(uids):
            box.expunge([uids[place]])
        return False

    def _bump_uidvalidity(self, _: actions.bump_uidvalidity) -> bool:
        box = self._target_mailbox()
        if box is not None and self.account is not None:
            self.account.renew_uid_validity(box.name)
        return False

    def _target_mailbox(self) -> Mailbox | None:
        """The mailbox that the command at hand names, or the selected one, or INBOX."""
        if self.account is None:
            return None
        if isinstance(self._target, str):
            return self.account.find(self._target)
        return self.account.inbox if self.view is None else self.view.mailbox

    FAULT_ACTIONS: ClassVar[FaultActions] = {
        **ProtocolSession.FAULT_ACTIONS,
        actions.hide: _hide,
        actions.refuse: _refuse,
        actions.fake_success: _fake_success,
        actions.close: _close_by_fault,
        actions.remove_message: _remove_message,
        actions.bump_uidvalidity: _bump_uidvalidity,
    }

    # Faults and grease in what commands see ------------------------------------------------------

    def capability_words(self) -> str:
        """The words behind CAPABILITY."""
        words, faults = super().capability_words(), self._faults
        if faults.hidden or faults.advertised:
            shown = (word for word in words.split() if word.upper() not in faults.hidden)
            words = " ".join([*shown, *faults.advertised])
        return words if self._grease is None else self._grease.words(words)

    def update(self) -> None:
        """Set what follows from the names that were enabled, and from the capabilities that are hidden."""
        super().update()
        hidden = self._faults.hidden
        if hidden:
            self.offered = frozenset(name for name in self.offered if name.upper() not in hidden)

    def fetch_order(self, items: Sequence[FetchItem]) -> Sequence[FetchItem]:
        """The order of the items in the answer to FETCH."""
        return items if self._grease is None else self._grease.order(items)

    # Input and output ----------------------------------------------------------------------------

    def _make_framer(self) -> Framer:
        unasked: int | None = -1
        if self.profile.knows("LITERAL+") and not self.profile.imap.literal_minus:
            unasked = None
        elif self.profile.knows("LITERAL-") or self.profile.knows("IMAP4rev2"):
            unasked = framing.LITERAL_MINUS
        most = self.profile.max_message_size
        self._limits = framing.literal_limits(message=most, total=2 * most)
        self._limits_before_login = framing.literal_limits(message=0, other=_BEFORE_LOGIN)
        return Framer(policy=self._literal_policy, unasked_limit=unasked, skip_limit=2 * most + 4096)

    def _literal_policy(self, announced: Announced) -> tuple[str, str | None, str] | None:
        """Whether a literal is taken."""
        if self.account is not None:
            return self._limits(announced)
        if announced.command in ("APPEND", "REPLACE"):
            return "BAD", None, f"{announced.command} is not allowed before login."
        return self._limits_before_login(announced)

    def _emit(self, data: bytes) -> None:
        self.output.parts.append(data)
        self._size += len(data)

    def _take_output(self, *, whole: bool = False) -> bytes:
        # IMAPClient loses half of a line that was not asked for.
        self._begun = 0
        return self.output.take(whole=whole or self.idling)


def _argument(line: str) -> str:
    """The arguments of a command, without its name and UID."""
    rest = line.partition(" ")[2].partition(" ")
    return rest[2].partition(" ")[2] if rest[0].upper() == "UID" else rest[2]


def _recorded(frame: Frame) -> str:
    """A command as it is written down: literals by their length."""
    text = frame.text
    for literal in frame.literals:
        text = text.replace(LITERAL_MARK, f"{{{len(literal.data)}}}", 1)
    return text if len(text) <= _RECORDED else text[:_RECORDED] + "..."


_LAST_WORDS: Final = {
    Reason.SHUTTING_DOWN: ("UNAVAILABLE", "The server is shutting down."),
    Reason.TIMEOUT: (None, "Disconnected for inactivity."),
    Reason.LOCAL_ERROR: ("SERVERBUG", "Something went wrong on the server."),
}
