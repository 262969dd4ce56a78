"""SEARCH: what each key matches on one message, and how keys are combined."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from fakemail.imap.content.index import HeaderIndex, collation_key, index_of
from fakemail.imap.content.search import MAX_NESTING, SearchContext, TooDeep, compile_search
from fakemail.imap.syntax.search_keys import (
    AddressContains,
    Age,
    AllMessages,
    And,
    BodyContains,
    DateField,
    DateIs,
    DateRelation,
    EmailIdIs,
    Fuzzy,
    GmailMessageIdIs,
    GmailRaw,
    GmailThreadIdIs,
    HasFlag,
    HasGmailLabel,
    HeaderContains,
    InSet,
    ModSeqAtLeast,
    Not,
    Or,
    SaveDateSupported,
    SearchKey,
    SizeIs,
    TextContains,
    ThreadIdIs,
)
from fakemail.imap.syntax.sets import SAVED_RESULT, STAR, SequenceSet
from fakemail.store.content import Content
from fakemail.store.message import StoredMessage

_NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
_RAW = (
    "Date: Thu, 16 May 2024 23:30:00 -0800\r\n"
    "From: =?utf-8?q?Ren=C3=A9?= Müller <rene@example.org>\r\n"
    "To: Ann <ann@x.test>,\r\n Bob <bob@x.test>\r\nTo: carl@x.test\r\n"
    "Subject: =?utf-8?b?UHLDvGZ1bmc=?= =?utf-8?q?_der?=\r\n Größe\r\n"
    "X-Empty:\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Caf=E9 au=\r\n lait\r\n"
    "--b\r\nContent-Type: image/png; name=photo.png\r\n\r\npixels\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Enclosed\r\n\r\nInner text\r\n--b--\r\n"
).encode()


def _message(
    raw: bytes = _RAW,
    *,
    flags: frozenset[str] = frozenset({"\\Seen", "$Work"}),
    internal_date: datetime = datetime(2024, 5, 15, 1, 0, tzinfo=timezone(timedelta(hours=2))),
) -> StoredMessage:
    saved = datetime(2024, 5, 16, 8, 0, tzinfo=UTC)
    return StoredMessage(7, Content(raw), flags, internal_date, 50, saved, None, "box")


def _matches(
    key: SearchKey, message: StoredMessage | None = None, context: SearchContext | None = None
) -> bool:
    context = context or SearchContext(now=_NOW, largest_number=9, largest_uid=70)
    return compile_search(key, context)(message or _message(), 3)


def _date(field: DateField, relation: DateRelation, day: int) -> DateIs:
    return DateIs(field, relation, date(2024, 5, day))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (AllMessages(), True),
        (HasFlag("\\Seen"), True),
        (HasFlag("\\Flagged"), False),
        (HasFlag("$WORK"), True),
        (HasFlag("\\Recent"), False),
        (SizeIs(larger=True, size=len(_RAW) - 1), True),
        (SizeIs(larger=True, size=len(_RAW)), False),
        (SizeIs(larger=False, size=len(_RAW) + 1), True),
        (SizeIs(larger=False, size=len(_RAW)), False),
        (ModSeqAtLeast(50), True),
        (ModSeqAtLeast(51), False),
        (EmailIdIs("M1"), True),
        (EmailIdIs("M2"), False),
        (ThreadIdIs("T1"), True),
        (ThreadIdIs("T9"), False),
        (SaveDateSupported(), True),
        (GmailMessageIdIs(1), False),
        (GmailThreadIdIs(0), True),
        (HasGmailLabel("x"), False),
        (GmailRaw("pixels"), False),
        (GmailRaw("lait"), True),
    ],
)
def test_values(key: SearchKey, expected: bool) -> None:
    assert _matches(key) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (HeaderContains("Subject", "prüfung DER größe"), True),
        (HeaderContains("Subject", "prüfung DER grösse"), False),
        (HeaderContains("subject", "PRU\u0308FUNG"), True),
        (HeaderContains("Subject", "utf-8"), False),
        (HeaderContains("From", "rené MÜLLER"), True),
        (HeaderContains("From", "RENE@EXAMPLE"), True),
        (HeaderContains("To", "bob@x.test"), True),
        (HeaderContains("To", "ann <ann@x.test>, bob"), True),
        (HeaderContains("To", "CARL"), True),
        (HeaderContains("Cc", "x"), False),
        (HeaderContains("Cc", ""), False),
        (HeaderContains("X-Empty", ""), True),
        (HeaderContains("x-empty", "a"), False),
        (HeaderContains("MIME-Version", "1.0"), True),
        (HeaderContains("X-Empty:", ""), False),
        (HeaderContains("Enclosed", ""), False),
        (BodyContains("CAFÉ AU LAIT"), True),
        (BodyContains("inner TEXT"), True),
        (BodyContains("enclosed"), True),
        (BodyContains("pixels"), False),
        (BodyContains("photo.png"), False),
        (BodyContains("prüfung"), False),
        (BodyContains(""), True),
        (TextContains("café"), True),
        (TextContains("prüfung der"), True),
        (TextContains("example.org"), True),
        (TextContains("photo.png"), True),
        (TextContains("nowhere"), False),
        (TextContains(""), True),
    ],
)
def test_texts(key: SearchKey, expected: bool) -> None:
    assert _matches(key) is expected
    assert _matches(Fuzzy(key)) is expected
    assert _matches(Not(key)) is not expected


def test_text_without_mime_is_read_as_it_stands() -> None:
    plain = _message("Subject: x\r\n\r\nOne\r\nTWO café Straße".encode())
    assert _matches(BodyContains("two CAFÉ"), plain)
    assert _matches(BodyContains("one\ntwo"), plain)
    assert not _matches(BodyContains("subject"), plain)
    assert _matches(TextContains("subject: x"), plain)


@pytest.mark.parametrize(
    ("field", "day", "expected"),
    [
        # The day as written in its own zone; time and zone are disregarded (RFC 9051 §6.4.4).
        (DateField.INTERNAL, 15, (False, True, True)),
        (DateField.INTERNAL, 14, (False, False, True)),
        (DateField.INTERNAL, 16, (True, False, False)),
        (DateField.SENT, 16, (False, True, True)),
        (DateField.SENT, 17, (True, False, False)),
        (DateField.SAVED, 16, (False, True, True)),
        (DateField.SAVED, 17, (True, False, False)),
    ],
)
def test_dates(field: DateField, day: int, expected: tuple[bool, bool, bool]) -> None:
    assert tuple(_matches(_date(field, relation, day)) for relation in DateRelation) == expected


def test_save_dates_fall_back_to_internal_dates() -> None:
    # RFC 8514 §4.3
    context = SearchContext(now=_NOW, save_dates=False)
    assert _matches(_date(DateField.SAVED, DateRelation.ON, 15), context=context)
    assert not _matches(SaveDateSupported(), context=context)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"Thu, 16 May 2024 23:30:00 -0800", date(2024, 5, 16)),
        (b"16 May 2024 99:99:99 nonsense", date(2024, 5, 16)),
        (b"16-May-24", date(2024, 5, 16)),
        (b"16 May 97 99:99 +0000", date(1997, 5, 16)),
        (b"99 May 2024", None),
        (b"Tomorrow", None),
        (b"16 Foo 2024", None),
        (b"", None),
    ],
)
def test_sent_days(value: bytes, day: date | None) -> None:
    index = HeaderIndex(b"Date: " + value + b"\r\n\r\n")
    assert index.sent_day == day
    if day is None:
        assert index.sent(_NOW) == int(_NOW.timestamp())
    assert not any(
        _matches(_date(DateField.SENT, relation, 17), _message(b"\r\n")) for relation in DateRelation
    )


def test_ages_are_exact_to_the_second() -> None:
    # RFC 5032 §3: both include the moment itself.
    message = _message(internal_date=_NOW - timedelta(seconds=60))
    assert _matches(Age(older=True, seconds=60), message)
    assert _matches(Age(older=False, seconds=60), message)
    assert not _matches(Age(older=True, seconds=61), message)
    assert not _matches(Age(older=False, seconds=59), message)
    assert _matches(Age(older=False, seconds=2**40), message)
    assert not _matches(Age(older=True, seconds=2**40), message)


@pytest.mark.parametrize(
    ("ranges", "uid", "expected"),
    [
        (((3, 3),), False, True),
        (((1, 2), (4, 9)), False, False),
        (((1, 1), (3, STAR)), False, True),
        (((STAR, STAR),), False, False),
        (((7, 7),), True, True),
        (((1, 2), (6, 8), (20, 30)), True, True),
        (((100, STAR),), True, False),
    ],
)
def test_sets(ranges: tuple[tuple[int, int], ...], uid: bool, expected: bool) -> None:
    assert _matches(InSet(SequenceSet(ranges), uid=uid)) is expected


def test_what_the_session_knows() -> None:
    context = SearchContext(
        now=_NOW,
        saved={7},
        recent={7},
        gmail_message_id=lambda message: message.uid * 10,
        gmail_thread_id=lambda message: message.uid * 20,
        gmail_labels=lambda message: ("\\Inbox", "Wörk"),
        gmail_query=lambda text: HeaderContains("Subject", text),
    )
    for key in (
        InSet(SAVED_RESULT),
        HasFlag("\\recent"),
        GmailMessageIdIs(70),
        GmailThreadIdIs(140),
        HasGmailLabel("WÖRK"),
        GmailRaw("prüfung"),
    ):
        assert _matches(key, context=context)
        assert not _matches(Not(key), context=context)
    assert not _matches(InSet(SAVED_RESULT))


def test_combinations() -> None:
    yes, no = AllMessages(), Not(AllMessages())
    assert _matches(And((yes, yes, yes)))
    assert not _matches(And((yes, yes, no)))
    assert not _matches(And((yes, no)))
    assert _matches(And(()))
    assert _matches(Or((no, no, yes)))
    assert not _matches(Or((no, no)))
    assert _matches(Not(Not(Fuzzy(Not(no)))))
    assert _matches(And((Or((no, Not(no))), Not(And((yes, no))))))


def test_cheap_keys_come_first() -> None:
    class Unread(Content):
        def recall(self, key: str) -> object:
            raise AssertionError("the header was read for nothing")

    message = _message()
    message.content = Unread(_RAW)
    keys = (BodyContains("x"), HeaderContains("Subject", "x"), HasFlag("\\Flagged"))
    assert not _matches(And(keys), message)
    assert _matches(Or((BodyContains("x"), HeaderContains("Subject", "x"), HasFlag("\\Seen"))), message)


def test_depth_is_bounded_and_length_is_not() -> None:
    many: SearchKey = AllMessages()
    for _ in range(10_000):
        many = And((many, AllMessages()))
    assert _matches(many)
    for _ in range(10_000):
        many = Not(many)
    assert _matches(many)
    deep: SearchKey = AllMessages()
    for _ in range(MAX_NESTING):
        deep = Or((And((deep, AllMessages())), Not(AllMessages())))
    with pytest.raises(TooDeep, match=f"deeper than {MAX_NESTING}"):
        _matches(deep)


def test_the_index_is_kept_with_the_octets() -> None:
    content = Content(_RAW)
    index = index_of(content)
    assert index_of(content) is index
    assert index.folded("subject") is index.folded("subject")
    assert index.folded("subject") == collation_key("Prüfung der Größe")


def test_long_fields_are_not_kept() -> None:
    index = HeaderIndex(b"Subject: " + b"x" * 5000 + b"\r\n\r\n")
    first = index.folded("subject")
    assert first == "X" * 5000
    assert index.folded("subject") is not first


@pytest.mark.parametrize(
    ("text", "needle", "expected"),
    [
        # What Dovecot answers, too (tests/interop).
        ("straße", "ß", True),
        ("strasse", "ß", False),
        ("straße", "ss", False),
        ("straße", "STRASSE", False),
        ("straße", "STRAßE", True),
        ("straße", "\u1e9e", False),
        ("café", "CAFE\u0301", True),
        ("cafe\u0301", "CAFÉ", True),
        ("café", "cafe", True),
        ("ΣΟΦΟΣ", "σοφος", True),
        ("σοφος", "σοφο\u03c2", True),
        ("İ", "i\u0307", True),
        ("ＡＢ", "ab", True),
        ("ﬁn", "fin", False),
        ("ﬁn", "ﬁN", True),
        ("ǆ", "ǅ", True),
        ("ǆ", "dž", False),
        ("Привет", "пРИВЕТ", True),
    ],
)
def test_comparison_is_unicode_casemap(text: str, needle: str, expected: bool) -> None:
    """RFC 5051 §2: each character in title case, one to one, then decomposed."""
    encoded = f"Subject: {text}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    message = _message(encoded.encode())
    for key in (BodyContains(needle), TextContains(needle), HeaderContains("Subject", needle)):
        assert _matches(key, message) is expected


@pytest.mark.parametrize(
    "all_of_them", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["with forms", "all"]
)
def test_every_character_is_in_title_case(all_of_them: bool) -> None:
    for code in range(0x110000):
        character = chr(code)
        has_forms = character.title() != character.lower() or unicodedata.decomposition(character)
        if not (all_of_them or has_forms or code % 499 == 0):
            continue
        title = character.title()
        simple = title if len(title) == 1 else character
        expected = unicodedata.normalize("NFKD", simple)
        assert collation_key(f"x{character}\u00e9") == unicodedata.normalize("NFKD", f"X{simple}\u00c9"), code
        assert collation_key(character) == expected, code


_ADDRESSES = (
    b"From: Ann (the\r\n boss) Smith <ann@x.test>\r\n"
    b'To: "Doe, John" <john@x.test>,\r\n =?utf-8?q?Ren=C3=A9?= =?utf-8?q?_M?= <r@x.test>\r\n'
    b"To: jdoe@test . example\r\n"
    b'Cc: undisclosed:;, G: a@b.test, "c d"@d.test;\r\n'
    b"Bcc:\r\nSubject: x\r\n\r\nx\r\n"
)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("From", "ann smith", True),
        ("From", "Smith <ANN@", True),
        ("From", "boss", False),
        ("From", "(", False),
        ("From", "", True),
        ("To", "doe, john", True),
        ("To", '"Doe, John" <john@x.test>', True),
        ("To", "Doe, John <john@x.test>, René M", True),
        ("To", "RENE\u0301 m <r@", True),
        ("To", "utf-8", False),
        ("To", "jdoe@test", True),
        ("Cc", "undisclosed:;, g: a@b.test, c d@d.test;", True),
        ("Cc", "a@b.test", True),
        ("Cc", "john", False),
        ("Bcc", "", True),
        ("Bcc", "a", False),
        ("Sender", "", False),
    ],
)
def test_addresses_are_those_of_the_envelope(name: str, text: str, expected: bool) -> None:
    """RFC 9051 §6.4.4: without folds, comments and quotes, encoded-words decoded; HEADER looks at the field."""
    message = _message(_ADDRESSES)
    assert _matches(AddressContains(name, text), message) is expected
    assert _matches(AddressContains(name, text), message) is expected  # what is kept is the same
    assert _matches(HeaderContains("From", "the boss"), message)


_REPORT = (
    "Subject: report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b\r\n\r\npreamble\r\n"
    "--b\r\n\r\nIt failed.\r\n"
    "--b\r\nContent-Type: message/{kind}\r\n{encoding}\r\n{body}\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    "kind",
    ["delivery-status", "global-delivery-status", "feedback-report", "disposition-notification", "partial",
     "external-body", "rfc822-headers", "rfc822", "global", "tracking-status"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", "Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; bob@x.test"),
        ("Content-Transfer-Encoding: base64\r\n", "RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGJvYkB4LnRlc3Q="),
        ("Content-Transfer-Encoding: quoted-printable\r\n", "Final-Rec=\r\nipient: rfc822; bob=40x.test"),
    ],
)
def test_reports_are_looked_into(kind: str, encoding: str, body: str) -> None:
    message = _message(_REPORT.format(kind=kind, encoding=encoding, body=body).encode())
    assert _matches(BodyContains("final-RECIPIENT: rfc822; bob@x.test"), message)
    assert _matches(TextContains("bob@x.test"), message)
    assert not _matches(BodyContains("preamble"), message)
    assert not _matches(BodyContains("Content-Type"), message)


def test_other_attachments_are_not_looked_into() -> None:
    raw = _REPORT.format(kind="x", encoding="", body="Hidden").replace("message/x", "application/xml")
    assert not _matches(BodyContains("hidden"), _message(raw.encode()))
