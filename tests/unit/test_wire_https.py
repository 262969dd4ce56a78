"""The HTTP session without a socket (RFC 9112)."""

from __future__ import annotations

import pytest

from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.wire.https_server import NOT_FOUND, Document, HttpSession

GET = b"GET /here HTTP/1.1\r\nHost: a.test\r\n\r\n"


def session() -> tuple[HttpSession, list[tuple[str, int, str, int]]]:
    told: list[tuple[str, int, str, int]] = []
    documents = {"/here": Document(b"hello"), "/gone": Document(b"", status=302, location="https://b.test/")}

    def record(stage, line, status, code, text, responses, size, reason) -> None:
        told.append((line, int(status), text, size))

    peer = Peer("203.0.113.250", 50000, "app")
    return HttpSession(lambda path: documents.get(path, NOT_FOUND), record, peer), told


def test_one_request_after_the_other() -> None:
    http, told = session()
    answers = http.feed(GET + GET)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answers.endswith(b"Content-Length: 5\r\n\r\nhello") or answers.lower().endswith(
        b"content-length: 5\r\n\r\nhello"
    )
    assert not http.closing
    assert told == [("GET /here", 200, "OK", 5)] * 2


def test_any_cutting() -> None:
    http, told = session()
    answer = b"".join(http.feed(GET[at : at + 1]) for at in range(len(GET)))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(told) == 1


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /nowhere HTTP/1.1", 404),
        (b"GET /here?x=y HTTP/1.1", 200),
        (b"GET /gone HTTP/1.1", 302),
        (b"DELETE /here HTTP/1.1", 405),
        (b"EHLO", 400),
    ],
)
def test_answers(request_line: bytes, status: int) -> None:
    http, told = session()
    answer = http.feed(request_line + b"\r\nHost: a.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert told[0][1] == status
    assert http.closing is (status == 400)


def test_a_head_has_no_body() -> None:
    http, _ = session()
    assert http.feed(GET.replace(b"GET", b"HEAD")).endswith(b"\r\n\r\n")
    assert http.feed(GET).endswith(b"hello")


def test_a_redirect_says_where_to() -> None:
    http, _ = session()
    assert b"ocation: https://b.test/\r\n" in http.feed(GET.replace(b"here", b"gone"))


def test_who_asks_to_close_is_closed() -> None:
    http, _ = session()
    http.feed(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert http.closing


def test_hanging_up() -> None:
    http, _ = session()
    assert http.greet() == http.hang_up(Reason.SHUTTING_DOWN) == b""
    assert http.closing
    assert http.feed(GET) == b""
