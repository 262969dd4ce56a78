"""The capabilities that a command and its arguments need."""

from __future__ import annotations

import pytest

from fakemail.imap.command_table import parse
from fakemail.imap.syntax.framing import Frame, Literal


def required(line: str) -> list[tuple[str, ...]]:
    """For the command and each argument that needs any, the capabilities of which one must be offered."""
    marks = [mark for mark in line if mark in "\0\1"]
    literals = tuple(Literal(b"x", binary=mark == "\1") for mark in marks)
    command = parse(Frame("A1 " + line.replace("\1", "\0"), literals)).command
    own = [command.capabilities] if command.capabilities else []
    return [*own, *(alternatives for _, alternatives in command.requirements())]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("NOOP", ""),
        ("LOGIN a b", ""),
        ("UID FETCH 1:* (FLAGS BODY[1]<0.5>)", ""),
        ('LIST "" *', ""),
        ("SEARCH OR FROM a NOT SEEN", ""),
        ("APPEND x \0", ""),
        ("UID STORE 1 FLAGS ()", ""),
        ("ID NIL", "ID"),
        ("IDLE", "IDLE"),
        ("AUTHENTICATE PLAIN", ""),
        ("AUTHENTICATE PLAIN =", "SASL-IR"),
        ("COMPRESS DEFLATE", "COMPRESS=DEFLATE"),
        ("SELECT a (CONDSTORE)", "CONDSTORE"),
        ("EXAMINE a (QRESYNC (1 1))", "QRESYNC"),
        ("CREATE a (USE (\\Sent))", "CREATE-SPECIAL-USE"),
        ('LIST "" * RETURN (MYRIGHTS)', "LIST-EXTENDED LIST-MYRIGHTS"),
        (
            'LIST (SPECIAL-USE) "" * RETURN (STATUS (SIZE))',
            "LIST-STATUS SPECIAL-USE STATUS=SIZE",
        ),
        ("STATUS a (MESSAGES HIGHESTMODSEQ MAILBOXID)", "CONDSTORE OBJECTID"),
        ("STATUS a (DELETED DELETED-STORAGE APPENDLIMIT)", "QUOTA=RES-MESSAGE QUOTA=RES-STORAGE APPENDLIMIT"),
        ("APPEND x \0 \0", "MULTIAPPEND"),
        ("APPEND x UTF8 (\1)", "UTF8=ACCEPT"),
        ("REPLACE 1 x \1", "REPLACE BINARY"),
        ('GETMETADATA "" /a', "METADATA"),
        ("SETMETADATA x (/a NIL)", "METADATA"),
        ("SETQUOTA x ()", "QUOTASET"),
        ("GETACL x", "ACL"),
        ("UID EXPUNGE $", "UIDPLUS SEARCHRES"),
        ("EXPUNGE", ""),
        ("COPY $ x", "SEARCHRES"),
        ("UID MOVE 1 x", "MOVE"),
        ("SEARCH RETURN (SAVE PARTIAL 1:2) UID $", "ESEARCH SEARCHRES PARTIAL"),
        ("SEARCH OR NOT YOUNGER 5 (FUZZY MODSEQ 1 EMAILID a)", "WITHIN SEARCH=FUZZY CONDSTORE OBJECTID"),
        ("SEARCH SAVEDON 1-Jan-2026 X-GM-RAW x", "SAVEDATE X-GM-EXT-1"),
        ("SORT RETURN () (DISPLAYFROM) UTF-8 ALL", "SORT ESORT SORT=DISPLAY"),
        ("THREAD REFERENCES UTF-8 ALL", "THREAD=REFERENCES"),
        ("ESEARCH IN (personal) ALL", "MULTISEARCH"),
        ("FETCH 1 (MODSEQ EMAILID PREVIEW (LAZY) SAVEDATE)", "CONDSTORE OBJECTID PREVIEW SAVEDATE"),
        ("UID FETCH 1 (BINARY[1]) (CHANGEDSINCE 1 VANISHED PARTIAL 1:2)", "BINARY CONDSTORE QRESYNC PARTIAL"),
        ("STORE 1 (UNCHANGEDSINCE 1) X-GM-LABELS ()", "CONDSTORE X-GM-EXT-1"),
        ("NOTIFY SET (selected (MessageNew (PREVIEW) MessageExpunge))", "NOTIFY PREVIEW"),
    ],
)
def test_required(line: str, names: str) -> None:
    found = {next(name for name in one if name != "IMAP4rev2") for one in required(line)}
    assert found == set(names.split())


def test_what_rev2_has_of_its_own() -> None:
    for line in ("NAMESPACE", "UNSELECT", "SEARCH RETURN (SAVE) ALL", "MOVE 1 x", "STATUS x (SIZE DELETED)"):
        assert all("IMAP4rev2" in one for one in required(line))
    assert not all("IMAP4rev2" in one for one in required("SORT (DATE) UTF-8 ALL"))
