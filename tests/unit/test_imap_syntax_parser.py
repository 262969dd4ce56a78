"""Commands as clients write them: what they mean, and what is refused with which words."""

from __future__ import annotations

import datetime

import pytest

from fakemail.imap.command import Command
from fakemail.imap.command_table import Request, parse
from fakemail.imap.commands.acl import SetAcl
from fakemail.imap.commands.any_state import Enable, Id, Noop
from fakemail.imap.commands.append import Append, AppendMessage, Replace
from fakemail.imap.commands.compress import Compress
from fakemail.imap.commands.copy import Copy, Move
from fakemail.imap.commands.expunge import Expunge
from fakemail.imap.commands.fetch import Fetch
from fakemail.imap.commands.list import List, ListReturn, ListSelect
from fakemail.imap.commands.login import Authenticate, LoginCommand
from fakemail.imap.commands.mailboxes import Create
from fakemail.imap.commands.metadata import GetMetadata, SetMetadata
from fakemail.imap.commands.notify import NotifyNone, NotifySet
from fakemail.imap.commands.quota import GetQuota, SetQuota
from fakemail.imap.commands.search import MultiSearch, Search
from fakemail.imap.commands.select import Examine, Qresync, Select
from fakemail.imap.commands.sort import Sort, Thread
from fakemail.imap.commands.status import StatusCommand, StatusItem
from fakemail.imap.commands.store import Store
from fakemail.imap.mailbox_filters import FilterKind, MailboxFilter
from fakemail.imap.notifications import EventGroup, NotifyEvent
from fakemail.imap.syntax import search_keys as k
from fakemail.imap.syntax.fetch_items import FetchBinary, FetchBody, FetchData, Section, SectionText
from fakemail.imap.syntax.framing import Frame, Literal
from fakemail.imap.syntax.scanner import CommandError, Dialect, UnknownCommand
from fakemail.imap.syntax.sets import SAVED_RESULT, STAR, PartialRange, SequenceSet
from fakemail.store.message import FlagAction

STRICT = Dialect(strict=True)
UTF8 = Dialect(utf8=True)
ONE = SequenceSet(((1, 1),))
SEEN = k.HasFlag("\\Seen")


def command(line: str, *literals: bytes, dialect: Dialect = STRICT) -> Command:
    frame = Frame("A1 " + line.replace("<LIT>", "\0"), tuple(Literal(octets) for octets in literals))
    return parse(frame, dialect).command


def parse_line(line: bytes, dialect: Dialect) -> Request:
    """The request in one line without literals, with or without CRLF."""
    return parse(Frame(line.removesuffix(b"\r\n").decode("latin-1").replace("\0", "\x01")), dialect)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("noop", Noop()),
        ("id NIL", Id(None)),
        ("ID ()", Id(())),
        ('ID ("name" "x" "os" nil)', Id((("name", "x"), ("os", None)))),
        ('LOGIN ann "s3 \\"cret"', LoginCommand("ann", 's3 "cret')),
        ("LOGIN NIL ]", LoginCommand("NIL", "]")),
        ("AUTHENTICATE plain", Authenticate("PLAIN")),
        ("AUTHENTICATE EXTERNAL =", Authenticate("EXTERNAL", b"")),
        ("AUTHENTICATE XOAUTH2 YWI=", Authenticate("XOAUTH2", b"ab")),
        ("ENABLE condstore IMAP4rev2 CONDSTORE", Enable(("CONDSTORE", "IMAP4REV2"))),
        ("COMPRESS DEFLATE", Compress("DEFLATE")),
        ("SELECT inBox", Select("INBOX")),
        ("SELECT inBox/x", Select("inBox/x")),
        ("EXAMINE Entw&APw-rfe (CONDSTORE)", Examine("Entwürfe", condstore=True)),
        (
            "SELECT a&-b (QRESYNC (7 20 1:3 (1 2)))",
            Select("a&b", False, Qresync(7, 20, SequenceSet(((1, 3),)), (ONE, SequenceSet(((2, 2),))))),
        ),
        ("SELECT a (QRESYNC (7 20 (1 1)))", Select("a", False, Qresync(7, 20, None, (ONE, ONE)))),
        ("CREATE x/", Create("x/")),
        ("CREATE x (USE (\\SENT \\foo))", Create("x", ("\\Sent", "\\foo"))),
        ('LIST "" %', List("", ("%",))),
        (
            'LIST (SUBSCRIBED REMOTE) "" (INBOX a*)',
            List("", ("INBOX", "a*"), frozenset({ListSelect.SUBSCRIBED, ListSelect.REMOTE}), extended=True),
        ),
        ('LIST () "" * RETURN ()', List("", ("*",), extended=True)),
        (
            'LIST "" &Jjo-% RETURN (STATUS (messages) SPECIAL-USE)',
            List(
                "",
                ("☺%",),
                returns=frozenset({ListReturn.SPECIAL_USE}),
                status=(StatusItem.MESSAGES,),
                extended=True,
            ),
        ),
        ('LIST "" &bad', List("", ("&bad",))),
        (
            "STATUS a (MESSAGES HIGHESTMODSEQ MESSAGES)",
            StatusCommand("a", (StatusItem.MESSAGES, StatusItem.HIGHESTMODSEQ)),
        ),
        ('GETQUOTA ""', GetQuota("")),
        ('SETQUOTA "" (storage 512)', SetQuota("", (("STORAGE", 512),))),
        ('GETMETADATA "" /shared/comment', GetMetadata("", ("/shared/comment",))),
        ("GETMETADATA (MAXSIZE 9 DEPTH infinity) x (/a /b)", GetMetadata("x", ("/a", "/b"), 9, None)),
        ("GETMETADATA x (DEPTH 1) (/a /b)", GetMetadata("x", ("/a", "/b"), None, 1)),
        ('SETMETADATA x (/a NIL /b "v")', SetMetadata("x", (("/a", None), ("/b", b"v")))),
        ("SETACL x bob +lrl", SetAcl("x", "bob", "lr", "+")),
        ("NOTIFY NONE", NotifyNone()),
        (
            "NOTIFY SET (selected (MessageNew MessageExpunge)) (subtree x NONE)",
            NotifySet(
                (
                    EventGroup(
                        MailboxFilter(FilterKind.SELECTED),
                        frozenset({NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}),
                    ),
                    EventGroup(MailboxFilter(FilterKind.SUBTREE, ("x",))),
                )
            ),
        ),
        ("EXPUNGE", Expunge()),
        ("uid expunge $", Expunge(SAVED_RESULT)),
        ("UID COPY 4:2,*:9 x", Copy(SequenceSet(((2, 4), (9, STAR))), "x", uid=True)),
        ("MOVE * x", Move(SequenceSet(((STAR, STAR),)), "x")),
        ("STORE 1 FLAGS \\seen $x \\Seen", Store(ONE, FlagAction.REPLACE, ("\\Seen", "$x"))),
        ("STORE 1 (UNCHANGEDSINCE 0) -flags.silent ()", Store(ONE, FlagAction.REMOVE, (), True, 0)),
        (
            'STORE 1 +X-GM-LABELS (\\Inbox "a b" &APw-)',
            Store(ONE, FlagAction.ADD, ("\\Inbox", "a b", "ü"), labels=True),
        ),
    ],
)
def test_commands(line: str, expected: Command) -> None:
    assert command(line) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("fast", (FetchData.FLAGS, FetchData.INTERNALDATE, FetchData.RFC822_SIZE)),
        ("UID", (FetchData.UID,)),
        ("(UID BODY BODYSTRUCTURE UID)", (FetchData.UID, FetchData.BODY, FetchData.BODYSTRUCTURE)),
        ("BODY[]", (FetchBody(Section()),)),
        ("BODY.PEEK[1.2.MIME]<0.5>", (FetchBody(Section((1, 2), SectionText.MIME), True, (0, 5)),)),
        (
            'BODY[HEADER.FIELDS.NOT (To "X y")]',
            (FetchBody(Section((), SectionText.HEADER_FIELDS_NOT, ("To", "X y"))),),
        ),
        ("BINARY.PEEK[2]", (FetchBinary((2,), True),)),
        ("(PREVIEW (LAZY) PREVIEW)", (FetchData.PREVIEW_LAZY, FetchData.PREVIEW)),
        ("PREVIEW (LAZY)", (FetchData.PREVIEW_LAZY,)),
        ("(X-GM-MSGID X-GM-LABELS)", (FetchData.GMAIL_MESSAGE_ID, FetchData.GMAIL_LABELS)),
    ],
)
def test_fetch_items(items: str, expected: object) -> None:
    assert command(f"FETCH 1 {items}") == Fetch(ONE, expected)  # type: ignore[arg-type]


def test_fetch_modifiers() -> None:
    assert command("UID FETCH 1 UID (CHANGEDSINCE 5 VANISHED PARTIAL -9:-3)") == Fetch(
        ONE, (FetchData.UID,), 5, True, PartialRange(3, 9, from_end=True), True
    )
    assert command("FETCH 1 PREVIEW (CHANGEDSINCE 5)") == Fetch(ONE, (FetchData.PREVIEW,), 5)


def test_a_list_of_items_seen_before_is_still_checked_in_strict() -> None:
    assert command("FETCH 1 (UID  FLAGS)", dialect=Dialect()) == command("FETCH 1 (UID FLAGS)")
    with pytest.raises(CommandError):
        command("FETCH 1 (UID  FLAGS)")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ALL", k.AllMessages()),
        ("unseen", k.Not(SEEN)),
        ("NEW", k.And((k.HasFlag("\\Recent"), k.Not(SEEN)))),
        ("1:* UID $", k.And((k.InSet(SequenceSet(((1, STAR),))), k.InSet(SAVED_RESULT, uid=True)))),
        ("(SEEN (DRAFT ALL))", k.And((SEEN, k.HasFlag("\\Draft"), k.AllMessages()))),
        (
            "OR OR SEEN DRAFT (OR ALL $)",
            k.Or((SEEN, k.HasFlag("\\Draft"), k.AllMessages(), k.InSet(SAVED_RESULT))),
        ),
        ("NOT (FROM a TO b)", k.Not(k.And((k.AddressContains("From", "a"), k.AddressContains("To", "b"))))),
        ('HEADER X-Y ""', k.HeaderContains("X-Y", "")),
        ("UNKEYWORD $Junk", k.Not(k.HasFlag("$Junk"))),
        (
            'SENTBEFORE "1-Feb-2026"',
            k.DateIs(k.DateField.SENT, k.DateRelation.BEFORE, datetime.date(2026, 2, 1)),
        ),
        (
            "SAVEDSINCE 01-fEb-2026",
            k.DateIs(k.DateField.SAVED, k.DateRelation.SINCE, datetime.date(2026, 2, 1)),
        ),
        (
            "SINCE 29-Feb-2024",
            k.DateIs(k.DateField.INTERNAL, k.DateRelation.SINCE, datetime.date(2024, 2, 29)),
        ),
        ("LARGER 5 SMALLER 9", k.And((k.SizeIs(True, 5), k.SizeIs(False, 9)))),
        ("OLDER 60 YOUNGER 70", k.And((k.Age(True, 60), k.Age(False, 70)))),
        ('MODSEQ "/flags/\\\\draft" all 5', k.ModSeqAtLeast(5, "\\draft", "all")),
        ("MODSEQ 0", k.ModSeqAtLeast(0)),
        ("FUZZY SUBJECT x", k.Fuzzy(k.HeaderContains("Subject", "x"))),
        ("EMAILID M1 THREADID T-2", k.And((k.EmailIdIs("M1"), k.ThreadIdIs("T-2")))),
        (
            'X-GM-RAW "has:attachment" X-GM-LABELS \\Inbox',
            k.And((k.GmailRaw("has:attachment"), k.HasGmailLabel("\\Inbox"))),
        ),
        ("X-GM-THRID 18446744073709551615", k.GmailThreadIdIs(2**64 - 1)),
    ],
)
def test_search_keys(text: str, key: k.SearchKey) -> None:
    assert command(f"UID SEARCH {text}") == Search(key, uid=True)


def test_search_results_and_charsets() -> None:
    assert command("SEARCH RETURN () CHARSET utf-8 TEXT <LIT>", "grün".encode()) == Search(
        k.TextContains("grün"), k.SearchReturn(), "UTF-8"
    )
    assert command("SEARCH RETURN (SAVE partial 9:1) CHARSET ISO-8859-1 BODY <LIT>", b"gr\xfcn") == Search(
        k.BodyContains("grün"),
        k.SearchReturn(frozenset({k.ResultOption.SAVE}), PartialRange(1, 9)),
        "ISO-8859-1",
    )
    with pytest.raises(CommandError) as caught:
        command("SEARCH CHARSET x-klingon ALL")
    assert (caught.value.response, caught.value.code) == ("NO", "BADCHARSET (US-ASCII UTF-8)")
    with pytest.raises(CommandError, match="not valid US-ASCII"):
        command("SEARCH CHARSET US-ASCII BODY <LIT>", b"gr\xfcn")


def test_sort_thread_and_multimailbox_search() -> None:
    assert command("SORT RETURN (COUNT) (REVERSE DATE SUBJECT) UTF-8 SEEN") == Sort(
        (k.SortCriterion(k.SortField.DATE, True), k.SortCriterion(k.SortField.SUBJECT)),
        "UTF-8",
        SEEN,
        k.SearchReturn(frozenset({k.ResultOption.COUNT})),
    )
    assert command("UID THREAD references US-ASCII SEEN") == Thread(
        k.ThreadAlgorithm.REFERENCES, "US-ASCII", SEEN, uid=True
    )
    sources = (MailboxFilter(FilterKind.SUBTREE_ONE, ("a", "b")), MailboxFilter(FilterKind.PERSONAL))
    assert command("ESEARCH IN (subtree-one (a b) personal) SEEN") == MultiSearch(SEEN, sources)
    assert command("ESEARCH SEEN") == MultiSearch(SEEN)


def test_append() -> None:
    zone = datetime.timezone(-datetime.timedelta(hours=1, minutes=30))
    date = datetime.datetime(2026, 2, 1, 12, 0, 5, tzinfo=zone)
    assert command('APPEND x (\\Seen) " 1-Feb-2026 12:00:05 -0130" <LIT> <LIT>', b"a", b"") == Append(
        "x", (AppendMessage(b"a", ("\\Seen",), date), AppendMessage(b""))
    )
    frame = Frame("A1 UID REPLACE * x UTF8 (\0)", (Literal(b"a\0", binary=True),))
    assert parse(frame).command == Replace(STAR, "x", AppendMessage(b"a\0", binary=True, utf8=True), uid=True)


def test_mailbox_names_after_utf8_is_accepted() -> None:  # RFC 6855 §3
    assert parse_line('A1 SELECT "grün &APw-"\r\n'.encode(), UTF8).command == Select("grün &APw-")
    assert parse_line("A1 SELECT grün".encode(), UTF8).command == Select("grün")
    with pytest.raises(CommandError):
        parse_line("A1 SELECT grün".encode(), Dialect(utf8=True, strict=True))
    with pytest.raises(CommandError, match="not valid UTF-8"):
        parse_line(b'A1 SELECT "gr\xfcn"', UTF8)


@pytest.mark.parametrize(
    "line",
    [
        "A1  NOOP",
        "A1 NOOP  ",
        "A1 UID  FETCH 1 (FLAGS)",
        "A1 FETCH  1 (FLAGS  UID)",
        "A1 FETCH 1 ( FLAGS UID )",
        "A1 SEARCH SEEN ",
        "A1 ENABLE CONDSTORE ",
        'A1 LOGIN "a\\b" c',
        'A1 LOGIN a "gr\xc3\xbcn"',
    ],
)
def test_what_servers_in_use_let_pass_and_strict_refuses(line: str) -> None:
    parse(Frame(line))
    with pytest.raises(CommandError):
        parse(Frame(line), STRICT)


def test_one_digit_days() -> None:
    frame = Frame('A1 APPEND x "1-Feb-2026 12:00:00 +0000" \0', (Literal(b"a"),))
    parse(frame)
    with pytest.raises(CommandError):
        parse(frame, STRICT)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("A1", "Expected a command at octet 3, found the end of the line."),
        ("A1 NOOP x", "Expected the end of the command at octet 9, found 'x'."),
        ("A1 LOGIN a", "Expected a space at octet 11, found something else."),
        (
            'A1 LOGIN a "s3cret',
            "Expected a password as a closed quoted string at octet 12, found something else.",
        ),
        ("A1 SELECT a b", "Expected '(' before parameters at octet 13, found 'b'."),
        ("A1 SELECT gr\xfcn", "Expected the end of the command at octet 13, found an octet beyond US-ASCII."),
        ("A1 SELECT a (X)", "The parameters are CONDSTORE and QRESYNC, not X."),
        ("A1 SELECT a (QRESYNC (1 2 *))", "Expected numbers without '*' at octet 27, found '*))'."),
        ("A1 FETCH 0 UID", "Expected a set of message numbers at octet 10, found '0 UID'."),
        ("A1 FETCH 1,,2 UID", "Expected a space at octet 11, found ',,2 UID'."),
        (
            "A1 FETCH 4294967296 UID",
            "Expected message numbers not above 4294967295 at octet 10, found '4294967296 UID'.",
        ),
        (
            "A1 FETCH 1 (UID",
            "Expected a space or ')' after a fetch item at octet 16, found the end of the line.",
        ),
        ("A1 FETCH 1 ()", "Expected a fetch item at octet 13, found ')'."),
        (
            "A1 FETCH 1 BODY[MIME]",
            "Expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME"
            " at octet 17, found 'MIME]'.",
        ),
        ("A1 FETCH 1 BODY[]<1>", "Expected '.' and a number of octets at octet 20, found '>'."),
        ("A1 FETCH 1 BODY[]<0.0>", "Expected a number of octets at octet 21, found '0>'."),
        ("A1 FETCH 1 BINARY", "Expected '[' after BINARY at octet 18, found the end of the line."),
        ("A1 FETCH 1 UID (VANISHED CHANGEDSINCE 1)", "VANISHED is for UID FETCH with CHANGEDSINCE."),
        (
            "A1 FETCH 1 UID (CHANGEDSINCE 9223372036854775808)",
            "Expected a mod-sequence not above 9223372036854775807 at octet 30, found '9223372036854775808)'.",
        ),
        ("A1 STORE 1 +FLAGS (\\Recent)", "Expected a flag that can be set at octet 20, found '\\\\Recent)'."),
        ("A1 STORE 1 FLAGS", "Expected FLAGS, +FLAGS or -FLAGS and a space at octet 12, found 'FLAGS'."),
        ("A1 SEARCH", "Expected a space at octet 10, found the end of the line."),
        ("A1 SEARCH SINCE 30-Feb-2026", "Expected a date that exists at octet 17, found '30-Feb-2026'."),
        ("A1 SEARCH HUGE", "Expected a search key at octet 11, found 'HUGE'."),
        ("A1 SEARCH OR SEEN", "Expected a space at octet 18, found the end of the line."),
        ("A1 SEARCH RETURN (ALL PARTIAL 1:2) ALL", "ALL and PARTIAL exclude each other."),
        (
            "A1 SEARCH RETURN (PARTIAL 1:-2) ALL",
            "Expected a range with both ends counted from one side and not above 4294967295"
            " at octet 27, found '1:-2) ALL'.",
        ),
        ("A1 LIST (RECURSIVEMATCH) a b", "RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it."),
        ("A1 SETACL a b LR", "Rights are lower-case letters and digits, perhaps after '+' or '-'."),
        ("A1 GETMETADATA a /b*", "Expected the end of the command at octet 20, found '*'."),
        ("A1 GETMETADATA a //b", "A metadata entry begins with '/', and each '/' is followed by a name."),
        (
            "A1 NOTIFY SET (personal (FlagChange))",
            "MessageNew and MessageExpunge go together, and other message events need both.",
        ),
        (
            "A1 NOTIFY SET (selected (MailboxName))",
            "Only message events are allowed for the selected mailbox.",
        ),
        (
            'A1 APPEND x "text"',
            'Expected a date such as "01-Feb-2026 12:00:00 +0000" at octet 13, found \'"text"\'.',
        ),
        (
            'A1 APPEND x " 1-Feb-2026 24:00:00 +0000" y',
            "Expected a date, time and zone that exist at octet 13, found '\" 1-Feb-2026 24:00:0'.",
        ),
        ("A1 APPEND x", "Expected a space at octet 12, found the end of the line."),
        ("A1 AUTHENTICATE PLAIN abc", "The initial response is not valid base64."),
        ("A1 UID REPLACE 1:2 x y", "Expected a space at octet 17, found ':2 x y'."),
    ],
)
def test_refusals_say_what_was_expected_and_where(line: str, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(Frame(line))
    assert caught.value.text == text
    assert (caught.value.tag, caught.value.response, caught.value.code) == ("A1", "BAD", None)


@pytest.mark.parametrize(
    ("line", "text"), [("", "The line is empty."), ("* NOOP", None), ("a+ NOOP", None), (" x", None)]
)
def test_lines_without_a_tag(line: str, text: str | None) -> None:
    with pytest.raises(CommandError) as caught:
        parse(Frame(line))
    assert caught.value.tag is None
    assert caught.value.text == (text or "Expected a tag and a command.")


@pytest.mark.parametrize("line", ["XFOO", "UID", "UID LOGIN a b", "X-A.b 1"])
def test_unknown_commands(line: str) -> None:
    with pytest.raises(UnknownCommand) as caught:
        command(line)
    assert caught.value.tag == "A1"


@pytest.mark.parametrize("name", ["&", "&AGE-", "a&APw", "&APw-&APw-", "&2AA-", "\xfc"])
def test_names_that_are_not_modified_utf7(name: str) -> None:  # RFC 3501 §5.1.3
    with pytest.raises(CommandError) as caught:
        parse(Frame(f'A1 SELECT "{name}"'))
    assert (caught.value.response, caught.value.code) == ("NO", "CANNOT")


def test_literals_where_none_can_be() -> None:
    with pytest.raises(CommandError, match="found a literal"):
        command("FETCH <LIT> UID", b"1")
    with pytest.raises(CommandError, match="found a literal8"):
        parse(Frame("A1 SELECT \0", (Literal(b"x", binary=True),)))
    with pytest.raises(CommandError, match="NUL is not allowed"):
        command("SELECT <LIT>", b"a\0")
    with pytest.raises(CommandError, match="literal8 only"):
        command("APPEND x <LIT>", b"a\0")


@pytest.mark.parametrize("opening", ["(", "NOT ", "FUZZY ", "(NOT ", "OR SEEN (ALL "])
def test_deep_nesting_is_refused(opening: str) -> None:
    with pytest.raises(CommandError, match="nested deeper than 100 levels"):
        command("SEARCH " + opening * 10_000 + "SEEN")


def test_long_chains_of_or_are_not_nesting() -> None:
    right = command("SEARCH " + "OR SEEN " * 5000 + "SEEN")
    left = command("SEARCH " + "OR " * 5000 + " ".join(["SEEN"] * 5001))
    assert right == left == Search(k.Or((SEEN,) * 5001))


def test_sets_resolve() -> None:
    numbers = SequenceSet(((5, 7), (2, 2), (9, STAR), (3, 4), (6, 8)))
    assert numbers.resolve(20) == [(2, 20)]
    assert numbers.resolve(1) == [(1, 9)]
    assert SequenceSet(((3, 4), (8, STAR))).resolve(5) == [(3, 8)]
    assert SequenceSet(((3, 4), (8, STAR))).resolve(0) == [(3, 4)]
    assert SequenceSet(((STAR, STAR),)).resolve(0) == []
    assert (numbers.has_star, numbers.highest) == (True, 9)
    assert (ONE.has_star, ONE.highest) == (False, 1)
