"""The session of a small HTTPS server: documents by their paths. A door to h11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import h11

from fakemail.faults import actions
from fakemail.faults.action import FaultAction, to_bytes
from fakemail.faults.host_faults import HostFaults
from fakemail.model.host import HTTPS
from fakemail.protocol.recorder import CommandRecorder
from fakemail.protocol.session import ProtocolSession
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

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
    """Document at a path."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    location: str = ""
    """Target of a redirect."""


NOT_FOUND: Final = Document(b"there is no such document here\n", status=404)
_ONLY_READING: Final = Document(b"documents can only be read\n", status=405)


class HttpSession(ProtocolSession):
    """The server's side of HTTP/1.1 (RFC 9112), one request after the other."""

    def __init__(
        self,
        find: Callable[[str], Document],
        record: CommandRecorder,
        peer: Peer,
        *,
        faults: HostFaults | None = None,
        connection: int = 0,
    ) -> None:
        """``find`` gives the document at a path."""
        super().__init__(peer, HTTPS.name, faults=faults, connection=connection)
        self._stage = Stage.HTTP_REQUEST
        self._find = find
        self._record = record
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADERS)
        self._request: h11.Request | None = None
        self._request_line = ""

    def greet(self) -> bytes:
        """The client speaks first."""
        return b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes in, give bytes out."""
        try:
            self._http.receive_data(data)
            while not self.closing:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._request = event
                elif isinstance(event, h11.EndOfMessage):
                    self._serve()
                elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    break
        except h11.RemoteProtocolError:
            self._end()
            self._request_line = ""
            self._note(_BAD_REQUEST, "Bad Request", 0)
            self.output.parts.append(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        return self.output.take()

    def secured(self, channel: Channel) -> None:
        """TLS is there from the start."""

    def hang_up(self, reason: Reason) -> bytes:
        """A server just closes."""
        self._end()
        return b""

    def _serve(self) -> None:
        """Answer a request, or let a fault do it."""
        request, self._request = self._request, None
        if request is None:
            return
        method, target = request.method.decode("ascii"), request.target.decode("ascii")
        self._request_line = f"{method} {target}"
        faults = self._faults
        if Stage.HTTP_REQUEST in faults.host.active and self._apply_fault(
            faults.decide(Stage.HTTP_REQUEST, argument=target)
        ):
            return
        start = len(self.output.parts)
        self.output.parts += self._answer(method, target, faults.take_on_command())
        self._play_answer(start)

    def _note(self, status: int, phrase: str, size: int) -> None:
        self._record(self._stage, self._request_line, str(status), "", phrase, 0, size, None)

    def _note_silence(self) -> None:
        self._note(0, "", 0)

    def _answer(self, method: str, target: str, action: FaultAction | None) -> list[bytes]:
        document = self._find(target.partition("?")[0]) if method in ("GET", "HEAD") else _ONLY_READING
        if isinstance(action, actions.http_status):
            document = Document(b"", status=action.status)
        elif isinstance(action, actions.http_body):
            document = Document(to_bytes(action.body), action.content_type)
        phrase = _PHRASES.get(document.status, "")
        self._note(document.status, phrase, len(document.body))
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
        return [part for part in parts if part]
