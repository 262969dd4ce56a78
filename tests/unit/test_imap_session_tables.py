"""The tables of IMAP: every command in every state, every capability offered and hidden."""

from __future__ import annotations

import pytest

from fakemail.imap.capabilities import CAPABILITIES, ListedIn
from fakemail.imap.command_table import COMMANDS
from fakemail.imap.context import ImapState
from fakemail.imap.server_kinds import SERVER_KINDS
from fakemail.imap.session import ImapSession
from fakemail.types.channel import Channel
from imap_host import CHANNEL, Host, say

# One complete command of each name, and what it says where it is legal.
EXAMPLES = {
    "CAPABILITY": "CAPABILITY",
    "NOOP": "NOOP",
    "LOGOUT": "LOGOUT",
    "ID": "ID NIL",
    "COMPRESS": "COMPRESS DEFLATE",
    "STARTTLS": "STARTTLS",
    "AUTHENTICATE": "AUTHENTICATE PLAIN",
    "LOGIN": "LOGIN bob@example.org s3cret",
    "UNAUTHENTICATE": "UNAUTHENTICATE",
    "ENABLE": "ENABLE CONDSTORE",
    "SELECT": "SELECT INBOX",
    "EXAMINE": "EXAMINE INBOX",
    "CREATE": "CREATE New",
    "DELETE": "DELETE Archive",
    "RENAME": "RENAME Archive New",
    "SUBSCRIBE": "SUBSCRIBE New",
    "UNSUBSCRIBE": "UNSUBSCRIBE Archive",
    "LIST": 'LIST "" *',
    "LSUB": 'LSUB "" *',
    "XLIST": 'XLIST "" *',
    "NAMESPACE": "NAMESPACE",
    "STATUS": "STATUS INBOX (MESSAGES)",
    "APPEND": "APPEND INBOX {3+}\r\none",
    "IDLE": "IDLE",
    "NOTIFY": "NOTIFY NONE",
    "ESEARCH": "ESEARCH IN (personal) ALL",
    "GETQUOTA": 'GETQUOTA ""',
    "GETQUOTAROOT": "GETQUOTAROOT INBOX",
    "SETQUOTA": 'SETQUOTA "" (STORAGE 1)',
    "GETMETADATA": "GETMETADATA INBOX /private/comment",
    "SETMETADATA": 'SETMETADATA INBOX (/private/comment "x")',
    "GETACL": "GETACL INBOX",
    "SETACL": "SETACL INBOX ann lr",
    "DELETEACL": "DELETEACL INBOX ann",
    "LISTRIGHTS": "LISTRIGHTS INBOX ann",
    "MYRIGHTS": "MYRIGHTS INBOX",
    "CHECK": "CHECK",
    "CLOSE": "CLOSE",
    "UNSELECT": "UNSELECT",
    "EXPUNGE": "EXPUNGE",
    "SEARCH": "SEARCH ALL",
    "SORT": "SORT (DATE) UTF-8 ALL",
    "THREAD": "THREAD REFERENCES UTF-8 ALL",
    "FETCH": "FETCH 1 FLAGS",
    "STORE": "STORE 1 +FLAGS (\\Seen)",
    "COPY": "COPY 1 Trash",
    "MOVE": "MOVE 1 Trash",
    "REPLACE": "REPLACE 1 INBOX {3+}\r\none",
}


def in_state(
    state: ImapState, channel: Channel | None = CHANNEL, kind: str = "default", **options: object
) -> ImapSession:
    host = Host(kind, **options)
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    if state is ImapState.SELECTED:
        return host.selected()
    session = host.connect(channel)
    if state is ImapState.AUTHENTICATED:
        assert b" OK " in say(session, "in LOGIN bob@example.org s3cret")
    return session


def test_there_is_an_example_of_every_command() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("state", ImapState, ids=lambda state: state.value)
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_in_states(name: str, state: ImapState) -> None:
    kind = "gmail-like" if name == "XLIST" else "default"
    session = in_state(state, None if name == "STARTTLS" else CHANNEL, kind, auth_in_clear=True)
    out = say(session, f"tag {EXAMPLES[name]}")
    last = out.splitlines()[-1]
    if state in COMMANDS[name].states:
        assert last.startswith((b"tag OK", b"+ "))
    else:
        assert last.startswith(b"tag BAD")
    if name not in ("LOGOUT", "STARTTLS", "IDLE", "AUTHENTICATE", "COMPRESS"):
        assert say(session, "next NOOP").endswith(b"next OK NOOP completed.\r\n")


@pytest.mark.parametrize("arguments", ["", " (", " extra {3+}\r\n\xff\xfe&", ' ""'])
@pytest.mark.parametrize("uid", ["", "UID "])
@pytest.mark.parametrize("state", ImapState, ids=lambda state: state.value)
def test_the_state_comes_before_the_grammar(state: ImapState, uid: str, arguments: str) -> None:
    """RFC 9051 §3: a command that is not legal here is BAD, however it is written."""
    for name, row in COMMANDS.items():
        if state in row.states or (
            uid and name not in ("FETCH", "STORE", "COPY", "MOVE", "REPLACE", "SEARCH")
        ):
            continue
        out = say(in_state(state, CHANNEL), f"tag {uid}{name}{arguments}")
        assert out.startswith(b"tag BAD "), name
        assert b"octet" not in out, name  # nothing is said about the grammar


# For each capability: a command that needs it, and what must be in the answer to it.
NEEDS: dict[str, tuple[str, bytes]] = {
    "IMAP4rev2": ("ENABLE IMAP4rev2", b"ENABLED IMAP4rev2"),
    "ID": ("ID NIL", b"* ID ("),
    "ENABLE": ("ENABLE CONDSTORE", b"ENABLED CONDSTORE"),
    "IDLE": ("IDLE", b"+ "),
    "NAMESPACE": ("NAMESPACE", b"* NAMESPACE"),
    "CHILDREN": ('LIST "" INBOX', b"\\HasNoChildren"),
    "UIDPLUS": ("UID EXPUNGE 1", b"OK EXPUNGE"),
    "UNSELECT": ("UNSELECT", b"OK UNSELECT"),
    "MOVE": ("MOVE 1 Trash", b"* 1 EXPUNGE"),
    "MULTIAPPEND": ("APPEND INBOX {1+}\r\na {1+}\r\nb", b"APPENDUID 1 2:3"),
    "LIST-EXTENDED": ('LIST "" (INBOX Trash)', b"Trash"),
    "LIST-STATUS": ('LIST "" INBOX RETURN (STATUS (MESSAGES))', b"* STATUS INBOX (MESSAGES 1)"),
    "LIST-MYRIGHTS": ('LIST "" INBOX RETURN (MYRIGHTS)', b"MYRIGHTS"),
    "SPECIAL-USE": ('LIST (SPECIAL-USE) "" *', b"\\Trash"),
    "CREATE-SPECIAL-USE": ("CREATE Flags (USE (\\Flagged))", b"OK"),
    "STATUS=SIZE": ("STATUS INBOX (SIZE)", b"SIZE 14"),
    "ESEARCH": ("SEARCH RETURN (COUNT) ALL", b"ESEARCH"),
    "SEARCHRES": ("SEARCH RETURN (SAVE) ALL", b"OK"),
    "WITHIN": ("SEARCH YOUNGER 60", b"* SEARCH 1"),
    "SORT": ("SORT (DATE) UTF-8 ALL", b"* SORT 1"),
    "SORT=DISPLAY": ("SORT (DISPLAYFROM) UTF-8 ALL", b"* SORT 1"),
    "THREAD=REFERENCES": ("THREAD REFERENCES UTF-8 ALL", b"* THREAD (1)"),
    "THREAD=ORDEREDSUBJECT": ("THREAD ORDEREDSUBJECT UTF-8 ALL", b"* THREAD (1)"),
    "ESORT": ("SORT RETURN (ALL) (DATE) UTF-8 ALL", b"ESEARCH"),
    "PARTIAL": ("SEARCH RETURN (PARTIAL 1:1) ALL", b"PARTIAL (1:1 1)"),
    "MULTISEARCH": ("ESEARCH IN (personal) ALL", b"* ESEARCH"),
    "BINARY": ("FETCH 1 BINARY.SIZE[1]", b"BINARY.SIZE[1] 0"),
    "CONDSTORE": ("FETCH 1 MODSEQ", b"MODSEQ (2)"),
    "QRESYNC": ("ENABLE QRESYNC", b"ENABLED QRESYNC"),
    "QUOTA": ("GETQUOTAROOT INBOX", b"* QUOTAROOT"),
    "QUOTASET": ('SETQUOTA "" (MESSAGE 5)', b'* QUOTA "" (MESSAGE 1 5)'),
    "QUOTA=RES-STORAGE": ("STATUS INBOX (DELETED-STORAGE)", b"DELETED-STORAGE 0"),
    "QUOTA=RES-MESSAGE": ("STATUS INBOX (DELETED)", b"DELETED 0"),
    "METADATA": ("GETMETADATA INBOX /private/comment", b"* METADATA"),
    "ACL": ("MYRIGHTS INBOX", b"* MYRIGHTS"),
    "NOTIFY": ("NOTIFY NONE", b"OK NOTIFY"),
    "COMPRESS=DEFLATE": ("COMPRESS DEFLATE", b"OK DEFLATE"),
    "UTF8=ACCEPT": ("ENABLE UTF8=ACCEPT", b"ENABLED UTF8=ACCEPT"),
    "APPENDLIMIT": ("STATUS INBOX (APPENDLIMIT)", b"APPENDLIMIT 5"),
    "OBJECTID": ("FETCH 1 EMAILID", b"EMAILID (M"),
    "SAVEDATE": ("FETCH 1 SAVEDATE", b"SAVEDATE"),
    "PREVIEW": ("FETCH 1 PREVIEW", b"PREVIEW"),
    "REPLACE": ("REPLACE 1 INBOX {3+}\r\none", b"APPENDUID"),
    "UIDONLY": ("ENABLE UIDONLY", b"ENABLED UIDONLY"),
    "UNAUTHENTICATE": ("UNAUTHENTICATE", b"OK UNAUTHENTICATE"),
    "X-GM-EXT-1": ("FETCH 1 X-GM-MSGID", b"X-GM-MSGID"),
    "XLIST": ('XLIST "" *', b"\\AllMail"),
    "LITERAL+": ("CREATE {5000+}\r\n" + "x" * 5000, b"too long"),
    "LITERAL-": ("CREATE {3+}\r\nNew", b"OK"),
    "IMAP4rev1": ("CHECK", b"OK CHECK"),
}
# Tried before login.
BEFORE = {
    "STARTTLS": ("STARTTLS", b"OK Begin TLS"),
    "SASL-IR": ("AUTHENTICATE PLAIN AGJvYkBleGFtcGxlLm9yZwBzM2NyZXQ=", b"OK"),
    "LOGINDISABLED": ("LOGIN bob@example.org s3cret", b"NO [PRIVACYREQUIRED]"),
}
# They only tell of limits, or of what other capabilities do.
SILENT = {"QUOTA=RES-MAILBOX", "RIGHTS="}
NAMES = [row.name for row in CAPABILITIES]


def test_every_capability_is_tried() -> None:
    assert set(NAMES) == NEEDS.keys() | BEFORE.keys() | SILENT


def words(session: ImapSession) -> list[str]:
    return say(session, "a CAPABILITY").decode().split("\r\n")[0].split()


def test_no_mechanism_is_listed_where_nobody_may_log_in() -> None:
    host = Host("gmail-like")
    assert not any(word.startswith("AUTH=") for word in words(host.connect(None)))
    assert "AUTH=PLAIN-CLIENTTOKEN" in words(host.connect())
    assert not any(word.startswith("AUTH=") for word in words(host.selected()))


@pytest.mark.parametrize("name", NAMES)
def test_offered_capabilities_work(name: str) -> None:
    if name in BEFORE:
        session = in_state(ImapState.NOT_AUTHENTICATED, CHANNEL if name == "SASL-IR" else None)
        command, said = BEFORE[name]
    elif name in SILENT:
        return
    else:
        host = Host("gmail-like" if name in ("X-GM-EXT-1", "XLIST", "LITERAL-") else "default")
        host.account.inbox.append(b"Subject: 1\r\n\r\n")
        session = host.selected()
        if name in ("IMAP4rev2", "UTF8=ACCEPT"):
            say(session, "a UNSELECT")
        command, said = NEEDS[name]
    row = next(row for row in CAPABILITIES if row.name == name)
    listed = (
        session
        if row.shown is not ListedIn.BEFORE or name in BEFORE
        else in_state(ImapState.NOT_AUTHENTICATED)
    )
    assert any(word.startswith(name) for word in words(listed))
    out = say(session, f"tag {command}")
    assert said in out
    assert b"BAD" not in out


@pytest.mark.parametrize("name", [name for name in NAMES if name in NEEDS or name == "SASL-IR"])
def test_hidden_capabilities_are_not_there(name: str) -> None:
    hidden = {name}
    if name == "LITERAL-":
        hidden |= {"LITERAL+", "IMAP4rev2"}
    elif name == "QUOTA=RES-MESSAGE":
        hidden.add("IMAP4rev2")  # which has STATUS (DELETED) too
    host = Host("gmail-like" if name in ("X-GM-EXT-1", "XLIST") else "default", hide=frozenset(hidden))
    host.account.inbox.append(b"Subject: 1\r\n\r\n")
    stranger = host.connect()
    session = host.connect()
    say(session, "in LOGIN bob@example.org s3cret")
    if name not in ("IMAP4rev2", "UTF8=ACCEPT"):
        say(session, "in SELECT INBOX")
    for each in (stranger, session):
        assert not any(word == name or word.startswith(f"{name}=") for word in words(each))
    command, _ = BEFORE.get(name) or NEEDS[name]
    out = say(stranger if name == "SASL-IR" else session, f"tag {command}")
    if name == "CHILDREN":
        return  # LIST is there without it, and may say as much
    if name in ("IMAP4rev2", "QRESYNC", "UTF8=ACCEPT", "UIDONLY"):
        assert out == b"* ENABLED\r\ntag OK ENABLE completed.\r\n"
    else:
        assert b"tag BAD" in out


@pytest.mark.parametrize("name", SERVER_KINDS)
def test_every_personality_serves_a_plain_client(name: str) -> None:
    host = Host(name)
    host.account.inbox.append(b"Subject: 1\r\n\r\nbody")
    session = host.selected()
    assert b"body" in say(session, "a FETCH 1 BODY[]")
    assert b"* SEARCH 1" in say(session, "b SEARCH SEEN")
    assert b"(\\Deleted" in say(session, "c STORE 1 +FLAGS (\\Deleted)")
    assert b"* 1 EXPUNGE" in say(session, "d EXPUNGE")
    listed = say(session, 'e LIST "" *').decode()
    for folder in host.profile.imap.folders:
        assert folder in listed
    assert say(session, "f LOGOUT").endswith(b"f OK LOGOUT completed.\r\n")


def test_a_strict_server_reads_strictly() -> None:
    assert b"OK" in say(Host().selected(), "a UID FETCH  1  (FLAGS )")
    assert b"BAD" in say(Host("strict").selected(), "a UID FETCH  1  (FLAGS )")


def test_an_outlook_like_server_lists_its_words() -> None:
    session = Host("outlook-like").selected()
    listed = words(session)
    assert {"IMAP4", "IMAP4rev1", "CLIENTACCESSRULES", "UIDPLUS", "MOVE"} <= set(listed)
    assert "CONDSTORE" not in listed


def test_anybody_may_be_let_in() -> None:
    session = Host(accept_any_login=True).connect()
    assert "AUTH=SCRAM-SHA-256" not in words(session)
    assert b"a OK" in say(session, "a LOGIN eve@example.org whatever")
