"""Each check of content finds what it is for, and nothing in good mail."""

from __future__ import annotations

import py_compile
import zipfile
from pathlib import Path

import pytest

from fakemail.message import samples
from fakemail.message.envelope import BodyType
from fakemail.message.samples import EICAR, GTUBE
from fakemail.model.content_rules import CHECK_GROUPS, CHECK_NAMES, PROGRAMS, ContentRules
from fakemail.policy.content.checks import CHECKS, find
from fakemail.policy.content.content_view import ContentView
from fakemail.policy.finding import AuthStatus
from fakemail.smtp.replies import refusal
from judging import facts, findings, flaws, locked, packed, resolver

HEAD = (
    b"From: Ann <ann@shop.test>\r\nTo: bob@example.org\r\nSubject: News\r\n"
    b"Date: Fri, 17 May 2024 09:30:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
)
PLAIN = HEAD + b"\r\nHello Bob\r\n"
LONG_LINE = b"x" * 999
PROGRAM = b"MZ\x90\x00"


def html(source: str, **more: str) -> bytes:
    return samples.html(html=source, **more)  # type: ignore[arg-type]


def attached(filename: str, content: bytes, content_type: str = "application/octet-stream") -> bytes:
    return samples.with_attachment(filename=filename, content=content, content_type=content_type)


def mime(content_type: bytes, body: bytes, fields: bytes = b"") -> bytes:
    return HEAD + b"MIME-Version: 1.0\r\n" + fields + b"Content-Type: " + content_type + b"\r\n\r\n" + body


def link(url: str, text: str) -> bytes:
    return html(f'<p>Hello Bob, here is what you have asked us for <a href="{url}">{text}</a></p>')


NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth) for depth in range(20)
)
# Each row: the check, a message that it minds, and words of what it says.
ROWS = [
    ("required_fields", b"To: bob@example.org\r\n\r\nHello\r\n", "no Date and no From field"),
    ("required_fields", b"Hello there\r\n", "no header at all"),
    ("required_fields", b"", "no header at all"),
    ("message_id", PLAIN.replace(b"Message-ID", b"X-Id"), "no Message-ID"),
    ("message_id", PLAIN.replace(b"<1@shop.test>", b"1"), "'1' is none"),
    ("duplicate_fields", b"Subject: one\r\nFROM: x@y.test\r\n" + PLAIN, "From (2 times), Subject (2 times)"),
    ("header_syntax", b"Subject : News\r\n" + PLAIN, "white space before its colon: 'Subject : News'"),
    ("header_syntax", HEAD + b"What is this\r\n\r\nHello\r\n", "line 6 of the header is no field"),
    ("header_syntax", HEAD + b"X-A: 1\r\n \r\n\r\nHello\r\n", "line 7 of the header has nothing but white space"),
    ("from_field", PLAIN.replace(b"Ann <ann@shop.test>", b"Ann"), "'Ann' has no address"),
    ("from_field", PLAIN.replace(b"<ann@shop.test>", b"<ann@shop.test>, <joe@shop.test>"), "2 authors"),
    ("date_field", PLAIN.replace(b"Fri, 17 May 2024", b"Someday"), "is none"),
    ("date_field", PLAIN.replace(b"17 May 2024", b"27 May 2024"), "9 days ahead"),
    ("header_size", b"X-A: b\r\n" * 501 + PLAIN, "506 fields, more than 500"),
    ("header_size", b"X-A: " + b"b " * 60_000 + b"\r\n" + PLAIN, "octets, more than 102400"),
    ("line_limit", PLAIN + LONG_LINE + b"\r\n", "line 8 has 999 octets, more than 998"),
    ("line_length", PLAIN + LONG_LINE[:79] + b"\r\n", "79 octets, more than 78"),
    ("line_length", PLAIN + b"x" * 999 + b"\r\n", "999 octets, more than 78"),
    ("bare_line_ends", PLAIN + b"one\ntwo\r\n", "not part of a CRLF"),
    ("nul", PLAIN + b"a\0b\r\n", "is a NUL"),
    ("eight_bit_header", PLAIN.replace(b"News", "Grüße".encode()), "SMTPUTF8 was not asked for"),
    ("eight_bit_header", PLAIN.replace(b"News", b"Gr\xfc\xdfe"), "is not UTF-8"),
    ("eight_bit_body", PLAIN + "Grüße\r\n".encode(), "BODY=8BITMIME was not announced"),
    ("mime_depth", HEAD + b"MIME-Version: 1.0\r\n" + NESTED, "nested 20 deep, deeper than 15"),
    ("mime_parts", mime(b"multipart/mixed; boundary=b", b"--b\r\n\r\n\r\n" * 600), "601 parts, more than 500"),
    ("mime_version", HEAD + b"Content-Type: text/plain\r\n\r\nHello\r\n", "no MIME-Version"),
    ("content_types", mime(b"text", b"Hello\r\n"), "'text' is none"),
    ("boundaries", mime(b"multipart/mixed", b"Hello\r\n"), "names no boundary"),
    ("boundaries", mime(b"multipart/mixed; boundary=b", b"Hello\r\n"), "'b' is nowhere in it"),
    ("boundaries", mime(b"multipart/mixed; boundary=b", b"--b\r\n\r\nHello\r\n"), "does not close it"),
    ("boundaries", mime(b"multipart/mixed; boundary=" + b"b" * 71, b""), "more than 70 characters"),
    ("encodings", mime(b"text/plain", b"Hello", b"Content-Transfer-Encoding: rot13\r\n"), "'rot13'"),
    ("encodings", mime(b"text/plain", b"He*lo", b"Content-Transfer-Encoding: base64\r\n"), "no character of base64"),
    (
        "encodings",
        mime(b"multipart/mixed; boundary=b", b"--b--\r\n", b"Content-Transfer-Encoding: base64\r\n"),
        "which a multipart must not be",
    ),
    ("charsets", mime(b"text/plain; charset=x-none", b"Hello\r\n"), "no charset 'x-none'"),
    ("charsets", mime(b"text/plain; charset=utf-8", b"Gr\xfc\xdfe\r\n"), "octet 2 is not utf-8"),
    ("attachment_extension", attached("setup.EXE", b"x"), "'setup.EXE'"),
    ("attachment_extension", attached("a.zip", packed({"dir/run.js": b"x"})), "'a.zip/dir/run.js'"),
    ("attachment_extension", attached("a.zip", locked(packed({"run.js": b"x"}))), "'a.zip/run.js'"),
    ("double_extension", attached("invoice.pdf.exe", b"x"), "invoice.pdf.exe pretends to be a document"),
    ("double_extension", attached("invoice\u202efdp.exe", b"x"), "marks of direction"),
    ("double_extension", attached("invoice.pdf" + " " * 40 + ".x", b"x"), "white space"),
    ("disguised_program", attached("photo.jpg", PROGRAM), "photo.jpg is a program"),
    ("disguised_program", attached("photo", PROGRAM, "image/jpeg"), "says image/jpeg and holds a program"),
    ("encrypted_archive", attached("a.zip", locked(packed({"letter.txt": b"x"}))), "'a.zip/letter.txt'"),
    ("archive_bounds", attached("a.zip", packed({"0.txt": bytes(30_000_000)})), "more than 200 times its size"),
    ("broken_archive", attached("a.zip", packed({"letter.txt": b"x" * 99})[:-30]), "'a.zip'"),
    ("broken_archive", attached("a.zip", packed({"a.txt": b"x"}, how=zipfile.ZIP_LZMA)), "'a.zip/a.txt'"),
    ("gtube", PLAIN + GTUBE + b"\r\n", "GTUBE line is in the message"),
    ("gtube", attached("a.zip", packed({"a.txt": GTUBE})), "is in a.zip/a.txt"),
    ("eicar", PLAIN + EICAR + b"\r\n", "EICAR test file is in the message"),
    ("eicar", attached("eicar.com", EICAR), "is in eicar.com"),
    ("eicar", attached("a.zip", packed({"b.zip": packed({"e.txt": EICAR})})), "is in a.zip/b.zip/e.txt"),
    ("keywords", samples.plain(text="Make  MONEY\nfast, act now!\n"), "it says 'act now', 'make money fast'"),
    ("shouted_subject", samples.plain(subject="READ THIS NOW"), "in capitals"),
    ("excited_subject", samples.plain(subject="Read this!!!"), "'!!!'"),
    ("no_subject", samples.plain(subject=""), "no subject"),
    ("no_plain_text", samples.html(text=None), "HTML and no plain text"),
    ("pictures_only", html('<img src="https://shop.test/all.png">', text="See\n"), "1 pictures and 1 words"),
    ("active_html", html("<form action='https://shop.test/'>Your password</form>"), "'<form'"),
    ("link_mismatch", link("https://evil.test/", "https://www.bank.test/login"), "says www.bank.test"),
    ("link_address", link("http://192.0.2.66/x", "here"), "the address 192.0.2.66"),
    ("link_address", link("http://3221226050/x", "here"), "the address 3221226050"),
    ("link_address", link("http://[2001:db8::1]/x", "here"), "the address 2001:db8::1"),
    ("link_login", link("https://www.bank.test@evil.test/", "here"), "a login in it: www.bank.test@evil.test"),
    ("link_shortener", link("https://bit.ly/4711", "here"), "shortened by bit.ly"),
    ("link_number", html('<a href="https://shop.test/">x</a>' * 51), "51 links, more than 50"),
    ("link_blocklist", link("https://www.listed.test/", "here"), "leads to listed.test, which uribl.test lists"),
    ("link_blocklist", link("http://192.0.2.66/", "here"), "leads to 66.2.0.192"),
]  # fmt: skip
CLEAN = {
    "plain": samples.plain(),
    "html": samples.html(html="<p>Welcome, Bob.</p>", text="Welcome, Bob.\n"),
    "newsletter": samples.newsletter(),
    "attachment": samples.with_attachment(),
    "question": samples.question(),
}
LISTS = ContentRules(url_blocklists=("uribl.test",))
LISTED = resolver({"listed.test.uribl.test": "127.0.0.2", "66.2.0.192.uribl.test": "127.0.0.2"})


@pytest.mark.parametrize(
    ("name", "raw", "words"), ROWS, ids=[f"{at}-{row[0]}" for at, row in enumerate(ROWS)]
)
def test_a_check_finds_what_it_is_for(name: str, raw: bytes, words: str) -> None:
    found = findings(raw, LISTS, resolve=LISTED, body=BodyType.SEVEN_BIT)[name]
    assert found.status is AuthStatus.FAIL
    assert words in found.sentence
    assert found.reason is CHECKS[name].reason


def test_the_table_has_every_check_that_can_be_asked_for() -> None:
    assert tuple(CHECKS) == CHECK_NAMES


def test_every_check_has_a_row() -> None:
    assert {row[0] for row in ROWS} == set(CHECKS)


@pytest.mark.parametrize("name", CLEAN)
def test_good_mail_has_nothing_wrong(name: str) -> None:
    raw = CLEAN[name]
    if b"\nMessage-ID:" not in raw:
        raw = b"Message-ID: <1@shop.test>\r\n" + raw
    assert {each for each, found in findings(raw).items() if found.score} == set()


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_every_check_says_what_it_is_for_and_has_a_reply(check) -> None:
    assert check.says.endswith(".")
    assert "\n" not in check.says
    assert refusal(check.reason).code >= 550
    assert check.name in CHECK_GROUPS[check.group]


def test_words_in_a_link_that_are_no_domain_are_none() -> None:
    for text in ("invoice.pdf", "write to bob@example.org", "www.shop.test", "Confirm", "shop.test/x"):
        assert not flaws(link("https://news.shop.test/confirm", text)).get("link_mismatch")


def test_a_message_may_have_a_program_where_programs_are_wanted() -> None:
    rules = ContentRules(extensions=PROGRAMS - {"exe"})
    assert "attachment_extension" not in flaws(attached("setup.exe", b"x"), rules)


def test_points_are_those_of_the_rules() -> None:
    raw = samples.plain(subject="READ THIS NOW", text="act now\n")
    rules = ContentRules(points=(("shouted_subject", 7.0),))
    found = findings(raw, rules)
    assert found["shouted_subject"].score == 7.0
    assert found["keywords"].score == 0.5


def test_only_what_is_asked_for_runs() -> None:
    asked: list[str] = []

    def resolve(name: str, type: str):
        asked.append(name)
        return LISTED(name, type)

    raw = link("https://www.listed.test/", "here")
    found = list(find(facts(raw, resolve=resolve), LISTS, ("gtube", "nul")))
    assert [each.check for each in found] == ["gtube", "nul"]
    assert asked == []


def test_a_blocklist_is_asked_once_for_each_domain() -> None:
    asked: list[str] = []

    def resolve(name: str, type: str):
        asked.append(name)
        return resolver()(name, type)

    source = "".join(f'<a href="https://{host}.shop.test/{host}">x</a>' for host in "abc")
    assert "link_blocklist" not in flaws(html(source), LISTS, resolve=resolve)
    assert asked == ["shop.test.uribl.test"]


def test_the_archive_is_unpacked_once_for_all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = attached("a.zip", packed({"a.txt": b"x", "b.txt": b"y"}))
    opened: list[str] = []
    real = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile, "open", lambda self, info: opened.append(info.filename) or real(self, info)
    )
    findings(raw)
    assert opened == ["a.txt", "b.txt"]


def matter(raw: bytes, **rules: int) -> ContentView:
    return ContentView(facts(raw), ContentRules(**rules))  # type: ignore[arg-type]


def test_no_more_is_unpacked_than_the_rules_allow() -> None:
    files = {f"{number}.txt": bytes(60_000) for number in range(100)}
    looked = matter(attached("a.zip", packed(files)), max_unpacked=1_000_000)
    assert "would unpack to 60000 octets, more than are looked at" in looked.archives.excess
    assert sum(len(file.content) for file in looked.files if file.inside) <= 1_000_000


def test_a_huge_directory_is_not_read() -> None:
    files = {f"{number}": b"" for number in range(2000)}
    looked = matter(attached("a.zip", packed(files)))
    assert "lists more files than are looked at" in looked.archives.excess
    assert [file.name for file in looked.files if file.inside] == []


def test_archives_in_archives_end_somewhere() -> None:
    inner = packed({"x.txt": b"x"})
    for _ in range(10):
        inner = packed({"a.zip": inner})
    looked = matter(attached("a.zip", inner))
    assert looked.archives.excess == "a.zip/a.zip/a.zip is an archive 2 archives deep"


def test_a_size_that_lies_is_found_out() -> None:
    octets = bytearray(packed({"a.txt": bytes(10_000)}))
    # APPNOTE 4.3.12: the size of the file is at octet 24 of its header in the directory.
    at = octets.index(b"PK\x01\x02") + 24
    octets[at : at + 4] = (5).to_bytes(4, "little")
    assert "cannot be unpacked: 'a.zip/a.txt'" in flaws(attached("a.zip", bytes(octets)))["broken_archive"]


@pytest.mark.timeout(20)
def test_thirty_megabytes_are_judged() -> None:
    raw = attached("movie.bin", bytes(range(256)) * 86_000)
    assert len(raw) > 30_000_000
    assert set(flaws(raw)) <= {"line_length"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("raw", "check"),
    [
        (b"X-A: b\r\n" * 100_000, "header_size"),
        (b"Subject: " + b"!" * 3_000_000 + b"\r\n\r\n", "excited_subject"),
        (b"Subject: x\r\n" * 50_000 + b"\r\n", "duplicate_fields"),
        (b"From: " + b"<a@b.test>," * 30_000 + b"\r\n\r\n", "from_field"),
        (HEAD + b"MIME-Version: 1.0\r\n" + NESTED * 500, "mime_depth"),
        (mime(b"multipart/mixed; boundary=b", b"--b\r\n\r\n" * 60_000), "mime_parts"),
        (html("<a href='http://a.test'>b.test</a>" * 30_000), "link_number"),
        (html("<a href='http://a.test'>" + "a." * 500_000 + "</a>"), "no_subject"),
        (html("<img " * 500_000), "no_subject"),
        (attached("a.zip", packed({str(number): b"" for number in range(5_000)})), "archive_bounds"),
        (attached("a.zip", b"PK\x03\x04" * 1_000_000), "broken_archive"),
        (mime(b"text/plain; charset=utf-7", b"+" * 3_000_000), "no_subject"),
        (b"\xff" * 5_000_000, "required_fields"),
    ],
)  # fmt: skip
def test_bad_input_is_a_finding(raw: bytes, check: str) -> None:
    found = flaws(raw, LISTS, resolve=LISTED)
    assert check in found or check == "no_subject"


def test_the_marks_are_written_down_nowhere_in_one_piece(tmp_path: Path) -> None:
    compiled = py_compile.compile(samples.__file__, cfile=str(tmp_path / "marks.pyc"), doraise=True)
    for path in (samples.__file__, compiled):
        octets = Path(path).read_bytes()
        assert GTUBE not in octets
        assert EICAR not in octets
    assert len(EICAR) == 68
