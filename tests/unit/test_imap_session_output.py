"""What an IMAP session gives out and when: in turns, bounded, compressed, recorded, and without being asked."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from fakemail.events.export import to_json_lines, to_object
from fakemail.events.kinds import CommandCompleted
from fakemail.events.transcript import lines
from fakemail.imap.session import CHUNK
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from imap_host import CHANNEL, Host, say


def test_a_large_answer_comes_in_turns() -> None:
    host = Host()
    for _ in range(200):
        host.account.inbox.append(b"Subject: big\r\n\r\n" + b"x" * 10_000)
    session = host.selected()
    first = session.feed(b"a FETCH 1:* BODY.PEEK[]\r\nb NOOP\r\n")
    assert session.has_more
    assert len(first) < CHUNK + 11_000
    sizes = []
    rest = first
    while session.has_more:
        piece = session.more()
        sizes.append(len(piece))
        rest += piece
    assert max(sizes) < CHUNK + 11_000
    assert rest.count(b"* ") == 200
    assert rest.index(b"a OK FETCH completed.") < rest.index(b"b OK NOOP completed.")


def test_one_large_message_comes_in_turns() -> None:
    host = Host()
    content = bytes(range(1, 256)) * 4000
    host.account.inbox.append(content)
    session = host.selected()
    out = session.feed(b"a FETCH 1 BODY.PEEK[]\r\n")
    while session.has_more:
        piece = session.more()
        assert len(piece) <= CHUNK + 200
        out += piece
    assert content in out
    assert out.endswith(b")\r\na OK FETCH completed.\r\n")


def test_a_client_that_does_not_read_costs_little() -> None:
    host = Host()
    content = b"Subject: big\r\n\r\n" + b"x" * 100_000
    for _ in range(300):
        host.account.inbox.append(content)
    session = host.selected()
    tracemalloc.start()
    session.feed(b"a FETCH 1:* BODY.PEEK[]\r\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert session.has_more
    assert peak < 2_000_000  # of 30 MB


def test_a_message_that_goes_during_the_answer_is_answered_all_the_same() -> None:
    host = Host()
    for number in range(50):
        host.account.inbox.append(b"Subject: %d\r\n\r\n" % number + b"x" * 10_000)
    session, other = host.selected(), host.selected()
    out = session.feed(b"a FETCH 1:* (UID BODY.PEEK[])\r\n")
    say(other, "b STORE 40:50 +FLAGS.SILENT (\\Deleted)")
    say(other, "c EXPUNGE")
    assert session.poll() == b""
    while session.has_more:
        out += session.more()
    assert b"* 50 FETCH" in out
    assert b"EXPUNGE" not in out
    assert say(session, "d NOOP").count(b" EXPUNGE\r\n") == 11


def test_many_commands_at_once_are_answered_in_turns() -> None:
    host = Host()
    session = host.connect()
    out = session.feed(b"".join(b"a%d NOOP\r\n" % number for number in range(1000)))
    assert session.has_more
    assert out.count(b"OK NOOP") < 1000
    while session.has_more:
        out += session.more()
    assert out.count(b"OK NOOP") == 1000


def test_compression() -> None:
    host = Host()
    for number in range(5000):
        host.account.inbox.append(b"Subject: %d\r\n\r\n" % number)
    session = host.selected()
    out = session.feed(b"a COMPRESS DEFLATE\r\n")
    assert out == b"a OK DEFLATE active.\r\n"
    packer, unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def ask(octets: bytes) -> bytes:
        out = session.feed(packer.compress(octets) + packer.flush(zlib.Z_SYNC_FLUSH))
        while session.has_more:
            out += session.more()
        return unpacker.decompress(out)

    assert ask(b"b NOOP\r\n") == b"b OK NOOP completed.\r\n"
    told = ask(b"c FETCH 1:* FLAGS\r\nd NOOP\r\n")
    assert told.count(b" FETCH (FLAGS") == 5000
    assert told.endswith(b"d OK NOOP completed.\r\n")
    assert ask(b"e COMPRESS DEFLATE\r\n") == b"e NO [COMPRESSIONACTIVE] DEFLATE is active already.\r\n"
    assert b"COMPRESS" not in ask(b"f CAPABILITY\r\n").replace(b"completed", b"")


def test_compression_begins_right_behind_the_command() -> None:
    session = Host().selected()
    packed = zlib.compress(b"b NOOP\r\n", wbits=-15)
    out = session.feed(b"a COMPRESS DEFLATE\r\n" + packed)
    line, _, rest = out.partition(b"\r\n")
    assert line == b"a OK DEFLATE active."
    assert zlib.decompressobj(wbits=-15).decompress(rest) == b"b OK NOOP completed.\r\n"


def test_broken_compressed_data_ends_the_session() -> None:
    session = Host().selected()
    session.feed(b"a COMPRESS DEFLATE\r\n")
    out = session.feed(b"\xff" * 100)
    assert b"* BYE" in zlib.decompressobj(wbits=-15).decompress(out)
    assert session.closing


def test_little_data_that_unpacks_to_much_takes_no_memory() -> None:
    session = Host().selected()
    session.feed(b"a COMPRESS DEFLATE\r\n")
    bomb = zlib.compress(b"x" * 50_000_000, 9, wbits=-15)
    tracemalloc.start()
    session.feed(bomb)
    while session.has_more:
        session.more()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_waking_up_once_until_asked() -> None:
    host = Host()
    session = host.selected()
    wakes = []
    session.on_wake = lambda: wakes.append(1)
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    assert wakes == []  # nobody listens
    assert say(session, "a NOOP") == b"* 1 EXISTS\r\n* 1 RECENT\r\na OK NOOP completed.\r\n"
    assert say(session, "b IDLE") == b"+ idling\r\n"
    host.account.inbox.append(b"Subject: 2\r\n\r\n")
    host.account.inbox.append(b"Subject: 3\r\n\r\n")
    assert wakes == [1]
    assert session.poll() == b"* 3 EXISTS\r\n* 3 RECENT\r\n"
    host.account.inbox.append(b"Subject: 4\r\n\r\n")
    assert wakes == [1, 1]
    assert session.poll() == b"* 4 EXISTS\r\n* 4 RECENT\r\n"
    assert session.poll() == b""
    assert say(session, "DONE") == b"b OK IDLE completed.\r\n"


def test_news_waits_for_the_end_of_a_command_that_has_begun() -> None:
    host = Host()
    session = host.selected()
    say(session, "a NOTIFY SET (selected (MessageNew MessageExpunge))")
    session.feed(b"b NO")
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    assert session.poll() == b""
    assert session.feed(b"OP\r\n") == b"* 1 EXISTS\r\n* 1 RECENT\r\nb OK NOOP completed.\r\n"


def test_too_much_news_is_given_up() -> None:
    host = Host()
    session = host.connect()
    say(session, "a LOGIN bob@example.org s3cret")
    say(session, "b NOTIFY SET (personal (MailboxName))")
    for number in range(1100):
        host.account.create(f"box{number}")
    assert session.poll() == b"* OK [NOTIFICATIONOVERFLOW] Too much has happened to tell.\r\n"
    host.account.create("more")
    assert session.poll() == b""


def test_a_closed_session_listens_no_more() -> None:
    host = Host()
    session = host.selected()
    say(session, "a NOTIFY SET (personal (MailboxName MessageNew MessageExpunge))")
    session.close()
    wakes = []
    session.on_wake = lambda: wakes.append(1)
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    host.account.create("new")
    assert wakes == []
    assert session.feed(b"a NOOP\r\n") == session.poll() == b""


@pytest.mark.parametrize("how", ["LOGOUT", "CLOSE", "UNSELECT", "UNAUTHENTICATE", "EXAMINE Trash"])
def test_nobody_listens_to_a_mailbox_that_is_not_selected(how: str) -> None:
    host = Host()
    session = host.selected()
    listeners = host.account.inbox.listeners
    assert listeners is not None
    assert len(listeners.places) == 1
    say(session, f"a {how}")
    assert listeners.places == ()


def test_uids_that_became_invalid_end_the_session() -> None:
    host = Host()
    session = host.selected()
    say(session, "a IDLE")
    host.account.renew_uid_validity("INBOX")
    assert session.poll() == b"* BYE The UIDVALIDITY of the selected mailbox has changed.\r\n"
    assert session.closing


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.SHUTTING_DOWN, b"* BYE [UNAVAILABLE] The server is shutting down.\r\n"),
        (Reason.TIMEOUT, b"* BYE Disconnected for inactivity.\r\n"),
        (Reason.LOCAL_ERROR, b"* BYE [SERVERBUG] Something went wrong on the server.\r\n"),
    ],
)
def test_last_words(reason: Reason, said: bytes) -> None:
    host = Host()
    session = host.selected()
    assert session.hang_up(reason) == said
    assert session.closing
    assert host.told[-1][:3] == (Stage.DISCONNECT, "", "BYE")
    assert host.told[-1][-1] is reason


def test_whereabouts() -> None:
    session = Host().selected()
    assert session.in_progress == ""
    session.feed(b"a NO")
    assert session.in_progress == "inside a command"
    session.feed(b"OP\r\nb IDLE\r\n")
    assert session.in_progress == "inside IDLE"
    session.feed(b"DONE\r\nc APPEND INBOX {100}\r\nabc")
    assert session.in_progress == "inside a command"


def test_nothing_secret_is_recorded() -> None:
    host = Host()
    session = host.connect()
    say(session, "a LOGIN bob@example.org wr0ng")
    say(session, "b LOGIN {15}\r\nbob@example.org {5}\r\nwr0ng")
    say(session, "c LOGIN bob@example.org wr0ng extra")
    say(session, "d AUTHENTICATE PLAIN AGJvYgB3cjBuZw==")
    say(session, "e AUTHENTICATE PLAIN\r\nAGJvYgB3cjBuZw==")
    say(session, "f AUTHENTICATE PLAIN\r\nAGJvYgB3cjBuZw== and more")
    text = repr(host.told)
    assert "wr0ng" not in text
    assert "AGJvYgB3cjBuZw" not in text
    assert "{15} {5}" not in text
    lines = [told[1] for told in host.told]
    assert "a LOGIN bob@example.org ********" in lines
    assert "********" in lines


def test_what_is_recorded() -> None:
    host = Host()
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    session = host.selected()
    host.told.clear()
    say(session, "a UID FETCH 1:* (FLAGS)")
    say(session, "b SELECT Nowhere")
    say(session, "c NONSENSE")
    say(session, "d APPEND INBOX {3+}\r\nabc")
    fetch, select, nonsense, append = host.told
    line = b"* 1 FETCH (UID 1 FLAGS (\\Recent))\r\n"
    assert fetch == (
        Stage.IMAP_FETCH,
        "a UID FETCH 1:* (FLAGS)",
        "OK",
        "",
        "FETCH completed.",
        1,
        len(line),
        None,
    )
    assert select[2:4] == ("NO", "NONEXISTENT")
    assert select[-1] is Reason.NO_SUCH_MAILBOX
    assert nonsense[0] is Stage.IMAP_UNKNOWN
    assert nonsense[-1] is Reason.UNKNOWN_COMMAND
    assert append[:2] == (Stage.IMAP_APPEND, "d APPEND INBOX {3}")


def test_clear_text_behind_starttls_is_thrown_away() -> None:
    session = Host().connect(None)
    out = session.feed(b"a STARTTLS\r\nb LOGIN bob@example.org s3cret\r\n")
    assert out == b"a OK Begin TLS negotiation now.\r\n"
    assert session.wants_tls
    assert session.discarded_plaintext == len(b"b LOGIN bob@example.org s3cret\r\n")
    assert session.feed(b"c NOOP\r\n") == b""
    session.secured(CHANNEL)
    assert session.feed(b"d NOOP\r\n") == b"d OK NOOP completed.\r\n"
    assert b"d NOOP" not in session.feed(b"e CAPABILITY\r\n")


def test_strangers_cannot_fill_the_memory() -> None:
    session = Host().connect()
    assert session.feed(b"a LOGIN {9000}\r\n").startswith(b"a BAD [TOOBIG]")
    assert session.feed(b"b APPEND INBOX {9000}\r\n").startswith(b"b BAD")
    assert session.feed(b"c LOGIN {9000+}\r\n").startswith(b"c BAD [TOOBIG]")
    session.feed(b"x" * 9000 + b"\r\n")
    assert session.feed(b"d NOOP\r\n") == b"d OK NOOP completed.\r\n"


def test_envelopes_of_a_large_mailbox_are_kept() -> None:
    host = Host()
    for number in range(5000):
        host.account.inbox.append(b"Subject: %d\r\nFrom: ann@example.org\r\n\r\n" % number)
    session = host.selected()
    first = say(session, "a FETCH 1:* ENVELOPE")
    assert say(session, "a FETCH 1:* ENVELOPE") == first
    assert all(message.content.recall("imap.envelope") for message in host.account.inbox)
    assert host.store.budget.used < 300 * 5000


def test_the_transcript_of_a_session() -> None:
    host = Host()
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    session = host.selected()
    host.told.clear()
    say(session, "a LOGIN eve s3cret")
    say(session, "b FETCH 1 FLAGS")
    say(session, "c IDLE")
    host.account.inbox.append(b"Subject: 2\r\n\r\n")
    session.poll()
    say(session, "DONE")
    names = ("stage", "line", "status", "code", "text", "responses", "size", "reason")
    events = [
        CommandCompleted(host="imap.example.org", **dict(zip(names, told, strict=True)))  # type: ignore[arg-type]
        for told in host.told
    ]
    assert [line for event in events for line in lines(event)] == [
        "C: a LOGIN eve ********",
        "S: BAD LOGIN is not allowed after login.   (wrong order of commands)",
        "C: b FETCH 1 FLAGS",
        "S: (1 response, 29 octets)",
        "S: OK FETCH completed.",
        "C: c IDLE",
        "S: +",
        "S: (2 responses, 24 octets)",
        "C: DONE",
        "S: OK IDLE completed.",
    ]
    assert all(to_object(event)["kind"] == "command_completed" for event in events)
    assert "s3cret" not in to_json_lines(events)
