"""Sessions that use the variety which standards allow; what varies is in :mod:`fakemail.grease.grease`.

They take the place of the usual ones for connections of the app, where a test wants it so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from fakemail.faults.write_script import Pause, Step
from fakemail.grease.grease import PAUSE, Grease
from fakemail.imap.responses import Completed
from fakemail.imap.session import ImapSession
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.pop3.replies import OK
from fakemail.pop3.replies import Pop3Reply as Pop3Answer
from fakemail.pop3.session import Pop3Session
from fakemail.smtp.session import SmtpSession
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.seeded_random import SeededRandom, seed_from
from fakemail.types.stage import Stage

_S = TypeVar("_S")

_BETWEEN: Final = Pause(timedelta(seconds=PAUSE))
# POP3 answers whose text is for people: in those of STAT, and of LIST and UIDL with a number, it is the answer.
_FREE: Final = frozenset(
    {Stage.POP3_USER, Stage.POP3_PASS, Stage.POP3_DELE, Stage.POP3_NOOP, Stage.POP3_RSET, Stage.POP3_QUIT}
)


class _Fragmented:
    """A session whose output goes out in several segments."""

    script: list[Step]
    _variety: Grease
    _is_whole = False

    def _cut(self, octets: bytes) -> bytes:
        """Hand the output over in pieces, or return it whole."""
        if self._is_whole or self.script:
            return octets
        first, *others = self._variety.pieces(octets)
        if not others:
            return octets
        self.script.append(first)
        for piece in others:
            self.script += [_BETWEEN, piece]
        return b""


class GreasedSmtpSession(_Fragmented, SmtpSession):
    """SMTP as another server may speak it."""

    def __init__(self, *arguments: Any, variety: Grease, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._variety = variety
        if not variety.has_codes:
            self._with_enhanced_codes = False

    def _reply(self, reply: Reply, reason: Reason | None = None, queue_id: str = "") -> None:
        super()._reply(self._variety.reply(self._stage, reply), reason, queue_id)

    def _take_output(self) -> bytes:
        return self._cut(super()._take_output())

    def hang_up(self, reason: Reason) -> bytes:
        """The last words, in one piece: the connection ends right behind them."""
        self._is_whole = True
        return super().hang_up(reason)


class GreasedPop3Session(_Fragmented, Pop3Session):
    """POP3 as another server may speak it."""

    def __init__(self, *arguments: Any, variety: Grease, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._variety = variety

    def _reply(
        self, answer: Pop3Answer, content: bytes | None = None, *, end: int = -1, lines: int = 1
    ) -> None:
        if answer.status == OK and (content is not None or self._stage in _FREE):
            answer = answer._replace(text=self._variety.pop3_text(answer.text))
        if content is not None and self._stage is Stage.POP3_CAPA:
            content = self._variety.capabilities(content)
        super()._reply(answer, content, end=end, lines=lines)

    def _take_output(self) -> bytes:
        return self._cut(super()._take_output())

    def hang_up(self, reason: Reason) -> bytes:
        """The last words, in one piece."""
        self._is_whole = True
        return super().hang_up(reason)


class GreasedImapSession(_Fragmented, ImapSession):
    """IMAP as another server may speak it."""

    def __init__(self, *arguments: Any, variety: Grease, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._variety = variety

    def capability_words(self) -> str:
        """In another order."""
        return self._variety.words(super().capability_words())

    def fetch_order(self, items: Sequence[FetchItem]) -> Sequence[FetchItem]:
        """Any."""
        return self._variety.order(items)

    def say(self, *responses: bytes) -> None:
        """Untagged responses that mean the same."""
        super().say(*map(self._variety.response, responses))

    def _finish(self, done: Completed) -> None:
        if self._tag is not None and not self.closing:
            self._emit(self._variety.unasked())
            if self._stage is Stage.IMAP_FETCH and done.status == "OK":
                self._repeat_flags()
        text = done.text or f"{self._row.name} completed."
        super()._finish(replace(done, text=self._variety.imap_text(text)))

    def _repeat_flags(self) -> None:
        """Tell the flags of a message behind what was asked for, as a server may at any time."""
        view = self.view
        first = None if view is None else next(iter(view.everything()), None)
        # After CONDSTORE what is told of flags has a MODSEQ, and with UIDONLY no number.
        if view is None or first is None or self.condstore or self.uid_only or not self._variety.repeats():
            return
        number, message = first
        flags = view.flag_text(message, with_recent=not self.rev2)
        self.say(b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, message.uid, flags))

    def poll(self) -> bytes:
        """What was not asked for, in whole lines: IMAPClient loses half of one, and who uses it cannot help it."""
        self._is_whole = True
        octets = super().poll()
        self._is_whole = False
        return octets

    def _take_output(self) -> bytes:
        octets = super()._take_output()
        return octets if self.idling else self._cut(octets)  # what waited for IDLE was not asked for either

    def hang_up(self, reason: Reason) -> bytes:
        """The last words, in one piece."""
        self._is_whole = True
        return super().hang_up(reason)


_VARIED: Final[dict[type, type]] = {
    SmtpSession: GreasedSmtpSession,
    Pop3Session: GreasedPop3Session,
    ImapSession: GreasedImapSession,
}


def window(seed: int, service: str) -> int | None:
    """How much a service of a host takes in before it is read; ``None`` for what the system likes."""
    return Grease(SeededRandom(seed_from(f"window of {service} of {seed}"))).window()


def varied(usual: Callable[..., _S], seed: int, connection: int) -> Callable[..., _S]:
    """What makes a session of the same protocol with the variety of one connection."""
    chance = SeededRandom(seed_from(f"grease of connection {connection} of {seed}"))
    kind: Callable[..., _S] = partial(_VARIED[usual], variety=Grease(chance))  # type: ignore[index]
    return kind
