"""Header blocks, decoding, addresses, parameters, dates and identifiers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fakemail.message.addresses import (
    AddressItem,
    AddressItemKind,
    NamedAddress,
    mailboxes,
    read_addresses,
    split_addresses,
)
from fakemail.message.decoding import base64_content, charset_text, decode_words, field_text, transfer_content
from fakemail.message.headers import (
    Headers,
    blank_line,
    body_offset,
    field_in_head,
    first_body,
    head_of,
    message_ids,
    parse_date,
    split_fields,
)
from fakemail.message.parameters import content_type, decoded_parameters, disposition, strip_comments


def headers_of(raw: bytes) -> Headers:
    return Headers(split_fields(raw, 0, body_offset(raw)))


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"body\r\n"),
        (b"A: 1\nB: 2\n\nbody\n", b"body\n"),
        (b"A: 1\r\n\nbody", b"body"),
        (b"A: 1\n\r\nbody", b"body"),
        (b"A: 1\r\nno colon here\r\nB: 2\r\n\r\nbody", b"no colon here\r\nB: 2\r\n\r\nbody"),
        (b"A: 1\nHello Bob", b"Hello Bob"),
        (b"A: 1\r\n b\r\nHello: Bob\r\nHello Bob\r\n\r\n", b"Hello Bob\r\n\r\n"),
        (b"A: 1\r\n: no name\r\n\r\nbody", b": no name\r\n\r\nbody"),
        (b"A: 1\r\nB\xc3\xa9: 2\r\n\r\nbody", b"B\xc3\xa9: 2\r\n\r\nbody"),
        (
            b"A: 1\r\nFrom bob Fri May 17 09:30:00 2024\r\nB: 2\r\n",
            b"From bob Fri May 17 09:30:00 2024\r\nB: 2\r\n",
        ),
        (b"A: 1\r\nB : 2\r\n\r\nbody", b"body"),
        # What stands before the first field belongs to the header.
        (b" A: 1\r\nB: 2\r\n\r\nbody", b"body"),
        (b"\xef\xbb\xbfA: 1\r\n\r\nbody", b"body"),
        (b"\xef\xbb\xbfFrom bob Fri May 17 09:30:00 2024\n\tx\nA: 1\n\nbody", b"body"),
        # And where no field comes it is text.
        (b" Dear Bob,\r\nhow are you?\r\n", b" Dear Bob,\r\nhow are you?\r\n"),
        (b"\xef\xbb\xbfHello", b"\xef\xbb\xbfHello"),
        (b"From tomorrow on\nwe are closed: sorry\n", b"From tomorrow on\nwe are closed: sorry\n"),
        (b"A: 1\r\n \r\nB: 2\r\n\r\nbody", b"body"),
        (b"A: 1\n\nbody\r\n\r\nmore", b"body\r\n\r\nmore"),
        (b"A: 1\r\n\r\nbody\n\nmore", b"body\n\nmore"),
        (b"\r\nbody", b"body"),
        (b"\nbody", b"body"),
        (b"A: 1\r\nB: 2\r\n", b""),
        (b"A: 1", b""),
        (b"", b""),
        (b"just text, no header\r\n\r\nmore", b"just text, no header\r\n\r\nmore"),
        (b"From bob Fri May 17 09:30:00 2024\r\nA: 1\r\n\r\nbody", b"body"),
    ],
)
def test_the_body_starts_behind_the_first_empty_line(raw: bytes, body: bytes) -> None:
    assert raw[body_offset(raw) :] == body


def test_fields_keep_their_octets_and_their_places() -> None:
    raw = b"\xef\xbb\xbfSubject: a\r\n\tb\r\n c\r\nOld : space\r\nLast:\x00\xfe\r\n\r\nbody: x\r\n"
    fields = split_fields(raw, 0, body_offset(raw))
    assert [(field.name, field.raw) for field in fields] == [
        ("Subject", b" a\r\n\tb\r\n c"),
        ("Old", b" space"),
        ("Last", b"\x00\xfe"),
    ]
    assert raw[fields[0].start : fields[0].end] == b"Subject: a\r\n\tb\r\n c"
    assert raw[fields[2].start : fields[2].end] == b"Last:\x00\xfe"


def test_lookup_ignores_case_and_keeps_order() -> None:
    headers = headers_of(b"Received: one\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nreceived: two\r\n\r\n")
    assert headers["SUBJECT"] == "Grüße"
    assert headers.all("Received") == ["one", "two"]
    assert list(headers) == ["Received", "Subject", "received"]
    assert dict(headers.items())["received"] == "two"
    assert headers.get("X-None") is None
    assert headers.get("X-None", "nothing") == "nothing"
    assert "rEceived" in headers
    assert "X-None" not in headers
    assert len(headers) == 3
    with pytest.raises(KeyError, match="X-None"):
        headers["X-None"]


@pytest.mark.parametrize(
    "raw",
    [
        b"A: 1\r\nSubject: x\r\n\r\nbody",
        b"Subject: x\r\nHello Bob",
        b"\xef\xbb\xbfSubject: x\r\n\r\nbody",
        b" y\r\nsubject : x\r\n\r\nbody",
        b"From bob Fri May 17 09:30:00 2024\r\nSubject: x\r\n\r\nbody",
    ],
)
def test_all_readers_of_a_header_find_the_same(raw: bytes) -> None:
    end = body_offset(raw)
    assert headers_of(raw)["Subject"] == "x"
    assert first_body(raw, 0, end, "subject") == b" x" or first_body(raw, 0, end, "subject") == b" x\r"
    assert field_in_head(head_of(raw), "subject") == "x"
    assert head_of(raw) + blank_line(raw, 0, end) + raw[end:] == raw


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"A: 1\r\n\r\nb", b"\r\n"),
        (b"A: 1\n\nb", b"\n"),
        (b"A: 1\n\r\nb", b"\r\n"),
        (b"A: 1\r\n\nb", b"\n"),
        (b"\r\nb", b"\r\n"),
        (b"\nb", b"\n"),
        (b"A: 1\r\nb", b""),
        (b"A: 1\r\n", b""),
        (b"A: 1", b""),
        (b"", b""),
        (b"A: 1\r\n \r\nb", b""),
    ],
)
def test_the_empty_line_of_a_header(raw: bytes, line: bytes) -> None:
    assert blank_line(raw, 0, body_offset(raw)) == line


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" plain ", "plain"),
        (b" folded\r\n here", "folded here"),
        (b" folded\n\there", "folded\there"),
        (b"=?utf-8?q?Gr=C3=BC?= =?utf-8?q?=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "aé"),
        (b"=?utf-8?b?4pw=?= =?utf-8?b?kw==?=", "✓"),
        (b"=?UTF-8?Q?a_b?= c =?utf-8?B?ZA==?=", "a b c d"),
        (b"x=?utf-8?q?y?=z", "xyz"),
        (b"=?utf-8*de?q?ja?=", "ja"),
        (b"=?no-such-charset?q?caf=C3=A9?=", "café"),
        (b"=?utf-8?b?SGVsbG8?=", "Hello"),
        (b"=?utf-8?b?SGVsb*G8=?=", "Hello"),
        (b"=?utf-8?b?A?=", ""),
        (b"=?utf-8?q?=ZZ_?=", "=ZZ "),
        (b"=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        (b"=?us-ascii?q?=E9?=", "é"),
        (b"=?utf-7?q?+2AA-?=", "?"),
        (b"=?punycode?q?abc?=", "abc"),
        (b"=?hex?q?zz?=", "zz"),
        # Octets that are not encoded are in the charset of the word.
        (b"=?iso-8859-1?Q?caf\xe9?=", "café"),
        (b"=?iso-8859-2?q?\xb1=B1?= Zo\xc3\xab", "ąą Zoë"),
        ("=?utf-8?Q?café?=".encode(), "café"),
        (b"=?ks_c_5601-1987?Q?\xb0=a1?=", "가"),
        (b"=?utf-8?q?What??=", "What?"),
        (b"=?utf-8?q?What?_now?= =?utf-8?q?=3D?=", "What? now="),
        (b"=?utf-8?b?SGk=?==?utf-8?b?SGk=?=", "HiHi"),
        (b"=?utf-8?q?a =?utf-8?q?b?=", "=?utf-8?q?a b"),
        # b"\x8c\x63" is in the extension of Windows only.
        (b"=?ks_c_5601-1987?B?jGM=?=", "똠"),
        ("Grüße 東京".encode(), "Grüße 東京"),
        (b"caf\xe9", "café"),
    ],
)
def test_field_bodies_are_decoded_for_people(raw: bytes, text: str) -> None:
    assert field_text(raw) == text


def test_words_in_different_charsets_are_not_joined() -> None:
    assert decode_words("=?utf-8?q?=C3?= =?iso-8859-1?q?=A9?=") == "Ã©"


def test_base64_survives_everything() -> None:
    assert base64_content(b"SGVsbG8=\r\n") == b"Hello"
    assert base64_content(b"SGVs\x00bG8") == b"Hello"
    assert base64_content(b"SGVsbG8gV") == b"Hello "
    assert base64_content(b"=") == b""


def test_a_charset_that_does_not_exist_is_guessed() -> None:
    assert charset_text("é".encode(), "no such\x00thing") == "é"
    assert charset_text(b"\xe9", "") == "é"
    assert charset_text(b"\x82\xa0", "x-sjis") == "あ"


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"\x8c\x63", "ks_c_5601-1987", "똠"),
        (b"\x8c\x63", "KS_C_5601-1989", "똠"),
        (b"\x8c\x63", "euc-kr", "똠"),
        (b"\x8c\x63", "x-windows-949", "똠"),
        (b"\x81\x30\x84\x36", "GB2312", "\u00a5"),
        (b"\x96\x52", "x-gbk", "朢"),
        (b"\x87\x40", "Shift_JIS", "①"),
        (b"\x87\x40", "windows-31j", "①"),
        (b"\x93Hi\x94", "iso-8859-1", "\u201cHi\u201d"),
        (b"\x80\x81", "latin1", "\x80\x81"),
        (b"\x80", "windows-1252", "€"),
        (b"\xf0\xe8", "'koi8-r'", "ПХ"),
        (b"\xa4", "iso-8859-15", "€"),
        (b"\xe0", "iso-8859-8-i", "א"),
        ("é".encode(), "x-unknown", "é"),
        ("é".encode(), "unknown-8bit", "é"),
        ("é".encode(), "ansi_x3.4-1968", "é"),
        (b"\xe9", "utf-8", "é"),
        (b"abc", "hex", "abc"),
    ],
)
def test_charsets_as_mailers_name_them(data: bytes, charset: str, text: str) -> None:
    assert charset_text(data, charset) == text


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"a=3Db=\r\nc\r\n", b"a=bc\r\n"),
        (b"padded \t \r\nmore\t\nend  ", b"padded\r\nmore\nend"),
        (b"kept=20\r\n=09\r\n", b"kept \r\n\t\r\n"),
        (b"soft= \t\r\nbreak=  \nagain=\r\n and blanks", b"softbreakagain and blanks"),
        (b"low =c3=a9, wrong =Z9 =4, end =", "low é, wrong =Z9 =4, end ".encode()),
        (b"raw caf\xe9=E9", b"raw caf\xe9\xe9"),
        (b" " * 200_000 + b"x", b" " * 200_000 + b"x"),
    ],
)
def test_quoted_printable(data: bytes, content: bytes) -> None:
    """RFC 2045 §6.7."""
    assert transfer_content(data, "quoted-printable") == content


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"bob@example.org", [NamedAddress("", "bob@example.org")]),
        (b"<bob@example.org>", [NamedAddress("", "bob@example.org")]),
        (b"Bob <bob@example.org>", [NamedAddress("Bob", "bob@example.org")]),
        (
            b'"Smith, Bob" <bob@example.org>, ann@b.test',
            [NamedAddress("Smith, Bob", "bob@example.org"), NamedAddress("", "ann@b.test")],
        ),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= <g@b.test>", [NamedAddress("Grüße", "g@b.test")]),
        (b"=?utf-8?q?Smith,_Bob?= <g@b.test>", [NamedAddress("Smith, Bob", "g@b.test")]),
        (b'"=?utf-8?q?B=C3=B6b?=" <b@b.test>', [NamedAddress("Böb", "b@b.test")]),
        (b"bob@example.org (Bob (the) Smith)", [NamedAddress("Bob (the) Smith", "bob@example.org")]),
        (b"Bob (x) S. Smith <bob@example.org> (y)", [NamedAddress("Bob S. Smith", "bob@example.org")]),
        (
            b"Friends: a@b.test, C <c@d.test>;, e@f.test",
            [NamedAddress("", "a@b.test"), NamedAddress("C", "c@d.test"), NamedAddress("", "e@f.test")],
        ),
        (b"undisclosed-recipients:;", []),
        (b'"a b"@c.test', [NamedAddress("", '"a b"@c.test')]),
        (b"<@relay.test,@other.test:bob@c.test>", [NamedAddress("", "bob@c.test")]),
        (b"bob @ example.org", [NamedAddress("", "bob@example.org")]),
        (b"bob@[IPv6:::1]", [NamedAddress("", "bob@[IPv6:::1]")]),
        (b"Bob bob@example.org", [NamedAddress("Bob", "bob@example.org")]),
        (b"root", [NamedAddress("", "root")]),
        ("Bøb <bøb@example.org>".encode(), [NamedAddress("Bøb", "bøb@example.org")]),
        (b"Ren\xe9 <r@b.test>", [NamedAddress("René", "r@b.test")]),
        (
            b"Ren\xe9 <r\xe9@b.test>, Zo\xc3\xab <z@b.test>",
            [NamedAddress("René", "ré@b.test"), NamedAddress("Zoë", "z@b.test")],
        ),
        (b"=?iso-8859-1?Q?Ren\xe9,_R.?= <r@b.test>", [NamedAddress("René, R.", "r@b.test")]),
        (b"=?utf-8?Q?Who?,_me?= <r@b.test>", [NamedAddress("Who?, me", "r@b.test")]),
        (b"a@b.test,, ,c@d.test,", [NamedAddress("", "a@b.test"), NamedAddress("", "c@d.test")]),
        (b'"Bob <bob@example.org>', [NamedAddress("Bob", "bob@example.org")]),
        (b"<<bob@example.org>>", [NamedAddress("", "bob@example.org")]),
        (b"Bob <bob@example.org", [NamedAddress("Bob", "bob@example.org")]),
        (b"a@b.test\r\n , c@d.test", [NamedAddress("", "a@b.test"), NamedAddress("", "c@d.test")]),
        # RFC 5322, appendix A.1.3, A.5, A.6.1, A.6.3
        (
            b'"Joe Q. Public" <john.q.public@example.com>, Mary Smith <@node.test:mary@example.net>,'
            b" , jdoe@test  . example",
            [
                NamedAddress("Joe Q. Public", "john.q.public@example.com"),
                NamedAddress("Mary Smith", "mary@example.net"),
                NamedAddress("", "jdoe@test.example"),
            ],
        ),
        (b"John Doe <jdoe@machine(comment).  example>", [NamedAddress("John Doe", "jdoe@machine.example")]),
        (b"jdoe@machine(comment).  example", [NamedAddress("comment", "jdoe@machine.example")]),
        (
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [NamedAddress("Pete", "pete@silly.test")],
        ),
        (
            b"pete(his account)@silly.test (A nice \\) chap)",
            [NamedAddress("A nice ) chap", "pete@silly.test")],
        ),
        (
            b"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
            b"         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            [
                NamedAddress("Chris Jones", "c@public.example"),
                NamedAddress("", "joe@example.org"),
                NamedAddress("John", "jdoe@one.test"),
            ],
        ),
        (b"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", []),
        (b"Undisclosed-Recipient:;", []),
        (b"<Undisclosed-Recipient:;>", []),
        (b"Undisclosed-Recipient:;@relay.test", []),
        (b'"Undisclosed-Recipient:;"', [NamedAddress("Undisclosed-Recipient:;", "")]),
        (b"<mailto:bob@example.org>", [NamedAddress("", "bob@example.org")]),
        (b"john . q . public @ example . org", [NamedAddress("", "john.q.public@example.org")]),
        (b'"john" . "q p" @ example.org', [NamedAddress("", '"john"."q p"@example.org')]),
        (b"Joe Q. joe@example.org", [NamedAddress("Joe Q.", "joe@example.org")]),
        (b"bob@[ 192.0.2.1 ]", [NamedAddress("", "bob@[ 192.0.2.1 ]")]),
        (b"<bob@example.org> on the road", [NamedAddress("", "bob@example.org")]),
        (b"@example.org", []),
        (b"", []),
        (b"(((", []),
    ],
)
def test_address_lists(raw: bytes, found: list[NamedAddress]) -> None:
    assert mailboxes(raw) == found


def test_items_of_a_raw_field_as_people_read_them() -> None:
    raw = b'=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n <g@b.test>, Team: "B, C" <"b\\"c"@d.test>; root, Nobody <>'
    assert [item.text for item in read_addresses(raw)] == [
        "Grüße <g@b.test>",
        "Team",
        'B, C <"b\\"c"@d.test>',
        "",
        "root",
        "Nobody",
    ]
    assert AddressItem(AddressItemKind.MAILBOX, "", '"a b" . "c"@d.test'.replace(" . ", ".")).local == "a b.c"


def test_groups_and_encoded_words_are_there_for_imap() -> None:
    items = split_addresses('My group: =?utf-8?q?B?= <"b\\"q"@c.test>; d')
    assert items == [
        AddressItem(AddressItemKind.GROUP_START, "My group"),
        AddressItem(AddressItemKind.MAILBOX, "=?utf-8?q?B?=", '"b\\"q"@c.test'),
        AddressItem(AddressItemKind.GROUP_END),
        AddressItem(AddressItemKind.MAILBOX, "", "d"),
    ]
    assert (items[1].local, items[1].domain) == ('b"q', "c.test")
    assert (items[3].local, items[3].domain) == ("d", "")


def test_a_mailbox_prints_as_people_write_it() -> None:
    assert str(NamedAddress("Bob", "bob@b.test")) == "Bob <bob@b.test>"
    assert str(NamedAddress("", "bob@b.test")) == "bob@b.test"


@pytest.mark.parametrize(
    ("text", "kind", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        ("Text/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ("text/plain (hi); charset=(a;b) utf-8 (c)", "text/plain", {"charset": "utf-8"}),
        (
            'multipart/mixed; boundary="a;b\\"c(d)" ; x=y',
            "multipart/mixed",
            {"boundary": 'a;b"c(d)', "x": "y"},
        ),
        ("text/plain; name=my report.pdf; x=1", "text/plain", {"name": "my report.pdf", "x": "1"}),
        ("text/plain; name*=utf-8'en'%e2%82%ac.txt", "text/plain", {"name": "€.txt"}),
        ("text/plain; name*0*=utf-8''%e2%82; name*1*=%ac; name*2=.txt", "text/plain", {"name": "€.txt"}),
        ('text/plain; name*1="b"; name*0="a"; name*3=d', "text/plain", {"name": "ab"}),
        ("text/plain; name=plain; name*=utf-8''better", "text/plain", {"name": "better"}),
        ('text/plain; name="=?utf-8?q?=C3=9C.pdf?="', "text/plain", {"name": "Ü.pdf"}),
        ("text/plain; charset=a; charset=b", "text/plain", {"charset": "a"}),
        ('text/plain; name="unfinished', "text/plain", {"name": "unfinished"}),
        ("text/plain;;;= ;a", "text/plain", {}),
        ("application / pdf ;x=1", "application/pdf", {"x": "1"}),
    ],
)
def test_content_types(text: str, kind: str, parameters: dict[str, str]) -> None:
    found = content_type(text)
    assert found is not None
    assert f"{found.main}/{found.sub}" == kind
    assert decoded_parameters(found.raw_parameters) == parameters


@pytest.mark.parametrize("text", ["", "text", "/plain", "text/", ";charset=x", "text/plain extra", "a b/c"])
def test_what_is_no_content_type(text: str) -> None:
    assert content_type(text) is None


def test_parameters_as_written_are_kept_for_imap() -> None:
    found = content_type("text/plain; NAME*0*=utf-8''%e2; charset=\"x\"")
    assert found is not None
    assert found.raw_parameters == (("name*0*", "utf-8''%e2"), ("charset", "x"))


def test_disposition_and_comments() -> None:
    assert disposition('Attachment (really); filename="a(b).txt"') == (
        "attachment",
        (("filename", "a(b).txt"),),
    )
    assert strip_comments('a (b (c) \\) d) e "(f)"') == 'a   e "(f)"'
    assert strip_comments("a (never closed") == "a "


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Fri, 17 May 2024 09:30:00 +0000", datetime(2024, 5, 17, 9, 30, tzinfo=UTC)),
        ("17 May 2024 09:30 +0200 (CEST)", datetime(2024, 5, 17, 9, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("Fri, 17 May 2024 09:30:00 -0000", datetime(2024, 5, 17, 9, 30, tzinfo=UTC)),
        ("Fri, 17 May 2024 09:30:00", datetime(2024, 5, 17, 9, 30, tzinfo=UTC)),
        ("Tomorrow, 99 Foo 99999 99:99:99 +9999", None),
        ("Fri, 17 May 2024 09:30:00 +9999", None),
        ("", None),
        ("9" * 100_000, None),
        (":" * 500, None),
    ],
)
def test_dates(text: str, when: datetime | None) -> None:
    assert parse_date(text) == when


def test_message_identifiers() -> None:
    assert message_ids("<a@b> (why)\t<c@d>") == ["<a@b>", "<c@d>"]
    assert message_ids("a@b c") == ["a@b"]
    assert message_ids("") == []
