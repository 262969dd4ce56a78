"""A real SMTP server without TLS, in a thread, which says at one command what a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

GOOD = {
    "greeting": b"220 real.test\r\n",
    "EHLO": b"250 real.test\r\n",
    "HELO": b"250 real.test\r\n",
    "STARTTLS": b"454 not now\r\n",
    "MAIL": b"250 sender\r\n",
    "RCPT": b"250 recipient\r\n",
    "DATA": b"354 go ahead\r\n",
    "end": b"250 taken\r\n",
    "RSET": b"250 reset\r\n",
    "QUIT": b"221 bye\r\n",
}
OUT_OF_ORDER = {
    ("RCPT", False, False),
    ("DATA", False, False),
    ("DATA", True, False),
}
"""What is refused: the command, whether MAIL was answered well, and whether a RCPT was."""


class ScriptedServer:
    """Answers ``at`` one command with ``reply``: ``None`` is nothing at all, now and ever.

    It means what it says: who was not told yes is no recipient, and without one there is no DATA.
    """

    def __init__(
        self,
        at: str = "",
        reply: bytes | None = b"",
        *,
        times: int = 1_000_000,
        keywords: tuple[str, ...] = (),
        stops_reading: bool = False,
        hangs_up_after: str = "QUIT",
    ) -> None:
        self._at, self._reply, self._left = at, reply, times
        self._keywords = keywords
        self._stops_reading = stops_reading
        self._last = hangs_up_after
        self.messages: list[bytes] = []
        """What it has taken."""
        self.commands: list[str] = []
        """The verbs that it was told, those of all connections."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def close(self) -> None:
        self._over.set()
        for each in (self._listener, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as lines:
            self._answer(connection, "greeting")
            is_begun = has_recipients = False
            while line := lines.readline():
                verb = line.split(b" ")[0].strip().decode("latin-1").upper()
                self.commands.append(verb)
                verb = verb if verb in GOOD else "RSET"
                if verb != self._at and (verb, is_begun, has_recipients) in OUT_OF_ORDER:
                    connection.sendall(b"503 out of order\r\n")
                    continue
                said = self._answer(connection, verb)
                if verb == "DATA" and said.startswith(b"354"):
                    if self._stops_reading:
                        self._over.wait()
                    self._take(connection, lines)
                elif verb == self._last:
                    return
                if verb == "RCPT":
                    has_recipients = has_recipients or said.startswith(b"2")
                else:
                    is_begun, has_recipients = verb == "MAIL" and said.startswith(b"2"), False

    def _take(self, connection: socket.socket, lines: Iterable[bytes]) -> None:
        content: list[bytes] = []
        for line in lines:
            if line == b".\r\n":
                break
            content.append(line)
        else:
            return  # the client is gone, and an unfinished message is none (RFC 5321 §4.1.1.4)
        self.messages.append(b"".join(content))
        if not self._answer(connection, "end").startswith(b"2"):
            self.messages.pop()

    def _answer(self, connection: socket.socket, at: str) -> bytes:
        reply = GOOD[at]
        if at == "EHLO" and self._keywords:
            reply = "".join(f"250-{each}\r\n" for each in ("real.test", *self._keywords)).encode()
            reply += b"250 HELP\r\n"
        if at == self._at and self._left:
            self._left -= 1
            if self._reply is None:
                self._over.wait()
                raise ValueError
            reply = self._reply
        connection.sendall(reply)
        return reply


@contextmanager
def scripted(*servers: ScriptedServer) -> Iterator[tuple[ScriptedServer, ...]]:
    """Ends them all at the end."""
    try:
        yield servers
    finally:
        for server in servers:
            server.close()
