"""Whatever a client says, in whatever pieces: lint reads it without an error, and tells no secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fakemail.clock import VirtualClock
from fakemail.events.kinds import Connected, Disconnected
from fakemail.events.log import Log
from fakemail.lint.linting import lint
from fakemail.lint.rules import RULES
from fakemail.model.host import SUBMISSION, HostOptions, HostSpec
from fakemail.smtp.extensions import SmtpProfile
from fakemail.smtp.session import SmtpSession
from fakemail.types.peer import Peer
from smtp_backend import AcceptingBackend

SECRET = "AHMAczNjcmV0"
WORDS = st.sampled_from(
    [
        b"EHLO app.test\r\n",
        b"HELO [1.2.3.4]\r\n",
        b"EHLO \xff\r\n",
        b"MAIL FROM:<a@b.test> SIZE=1\r\n",
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<@x:c@d.test>\r\n",
        b"RCPT TO: <c@d.test\r\n",
        b"DATA\r\n",
        b"BDAT 5 LAST\r\nab\r\nc",
        b"Subject: x\n\r\n.y\r\n.\r\n",
        b"\xc3\xa9: \r\n\r\n.\r\n",
        b".\r\n",
        f"AUTH PLAIN {SECRET}\r\n".encode(),
        b"AUTH\r\n",
        b"QUIT",
        b"\r\n",
        b"\r",
        b"\n",
    ]
)
PIECES = st.lists(st.one_of(WORDS, st.binary(max_size=30)), max_size=25)


@given(PIECES, st.booleans())
def test_anything_can_be_linted(pieces: list[bytes], ends: bool) -> None:
    log = Log(VirtualClock())
    app = Peer("203.0.113.250", 50000, "app")
    options = HostOptions(auth_in_clear=True, require_auth=False, accept_bare_line_ends=True)
    host = HostSpec("mx.example.org", "192.0.2.1", "2001:db8::1", (SUBMISSION,), options)
    session = SmtpSession(
        SmtpProfile(host, SUBMISSION), AcceptingBackend(), log.smtp_recorder(host.name, 1), app
    )
    log.append(Connected(host=host.name, connection=1, protocol="submission", peer=app))
    session.greet()
    for piece in pieces:
        session.feed(piece)
        while session.has_more:
            session.more()
    if ends:
        log.append(Disconnected(host=host.name, connection=1, by="client", reason=None, detail=""))
    found = lint(log)
    assert {finding.name for finding in found} <= set(RULES)
    assert SECRET not in "".join(map(str, found))
    assert [finding.event for finding in found] == sorted(finding.event for finding in found)
