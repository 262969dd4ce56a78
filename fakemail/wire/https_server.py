"""A small HTTPS server: documents by their paths, over one connection class and its TLS. A door to h11.

What documents there are is asked of the site; nothing here knows what they are good for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import h11

from fakemail.faults.actions.action import FaultAction, Instead, OnAnswer
from fakemail.faults.actions.http import HttpBody, HttpStatus
from fakemail.faults.write_script import ConnectionEnd, Step
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.wire.connection import Connection
from fakemail.wire.interfaces import Port, ProtocolSession

_MAX_HEADERS: Final = 64 * 1024
_PHRASES: Final = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Document:
    """What is at a path."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    location: str = ""
    """Where a redirect leads."""


NOT_FOUND: Final = Document(b"there is no such document here\n", status=404)
_ONLY_READING: Final = Document(b"documents can only be read\n", status=405)

Record = Callable[[str, int, str, int], object]
"""Told of each request: the request line, the status, its phrase, the octets of the body."""


class HttpsPort(Port, Protocol):
    """A port that speaks HTTP in TLS."""

    def open(self, connection: HttpsConnection) -> ProtocolSession:
        """A session for a new connection."""
        ...


class HttpsConnection(Connection):
    """One HTTPS connection."""

    def __init__(self, site: HttpsPort) -> None:
        super().__init__(site)
        self._https_site = site

    def open_core(self) -> ProtocolSession:
        """A session with the host's documents behind it."""
        return self._https_site.open(self)


class HttpSession:
    """The server's side of HTTP/1.1 (RFC 9112), one request after the other."""

    def __init__(
        self,
        find: Callable[[str], Document],
        record: Record,
        decide: Callable[[str], FaultAction | None] = lambda _: None,
    ) -> None:
        """``find`` gives the document at a path, ``decide`` what goes wrong with the answer, if anything does."""
        self.wants_tls = False
        self.closing = False
        self.has_more = False
        self.discarded_plaintext = 0
        self.script: list[Step] = []
        self.struck_at = Stage.HTTP_REQUEST
        self.login = ""
        self._find = find
        self._record = record
        self._decide = decide
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADERS)
        self._asked: h11.Request | None = None

    def greet(self) -> bytes:
        """The client speaks first."""
        return b""

    def feed(self, data: bytes) -> bytes:
        """Take octets in, give octets out."""
        out: list[bytes] = []
        try:
            self._http.receive_data(data)
            while not self.closing:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._asked = event
                elif isinstance(event, h11.EndOfMessage):
                    self._serve(out)
                elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    break
        except h11.RemoteProtocolError:
            out.append(self._give_up())
        return b"".join(out)

    def more(self) -> bytes:
        """Nothing is ever left over."""
        return b""

    def resume(self, answer: object) -> bytes:
        """Nothing is ever asked elsewhere."""
        return b""

    def secured(self, channel: Channel) -> None:
        """TLS is there from the start."""

    def hang_up(self, reason: Reason) -> bytes:
        """A server just closes."""
        self.closing = True
        return b""

    @property
    def is_waiting(self) -> bool:
        """Nothing is ever asked elsewhere."""
        return False

    @property
    def in_progress(self) -> str:
        """Between requests, always."""
        return ""

    def _serve(self, out: list[bytes]) -> None:
        """Answer a request, or let a fault do it."""
        request, self._asked = self._asked, None
        if request is None:
            return
        method, target = request.method.decode("ascii"), request.target.decode("ascii")
        action = self._decide(target)
        if isinstance(action, Instead):
            steps = action.script()
            self._record(f"{method} {target}", 0, "", 0)
        else:
            answer = self._answer(method, target, action)
            if not isinstance(action, OnAnswer):
                out.append(answer)
                return
            steps = action.script(answer)
        self.script += [*out, *steps]
        out.clear()
        self.closing = self.closing or isinstance(steps[-1], ConnectionEnd)

    def _answer(self, method: str, target: str, action: FaultAction | None) -> bytes:
        document = self._find(target.partition("?")[0]) if method in ("GET", "HEAD") else _ONLY_READING
        if isinstance(action, HttpStatus):
            document = Document(b"", status=action.status)
        elif isinstance(action, HttpBody):
            document = Document(action.body, action.content_type)
        phrase = _PHRASES.get(document.status, "")
        self._record(f"{method} {target}", document.status, phrase, len(document.body))
        headers = [("Content-Type", document.content_type), ("Content-Length", str(len(document.body)))]
        if document.location:
            headers.append(("Location", document.location))
        parts = [self._http.send(h11.Response(status_code=document.status, headers=headers, reason=phrase))]
        if method != "HEAD":
            parts.append(self._http.send(h11.Data(data=document.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        if self._http.our_state is h11.MUST_CLOSE:
            self.closing = True
        else:
            self._http.start_next_cycle()
        return b"".join(part for part in parts if part)

    def _give_up(self) -> bytes:
        self.closing = True
        self._record("", _BAD_REQUEST, "Bad Request", 0)
        return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
