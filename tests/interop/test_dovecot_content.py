"""What we say about messages beside what Dovecot says: structure, sections, search, sort and thread.

Dovecot's ``imap`` program speaks on standard input and output, so no port and no daemon is needed.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dovecot import Dovecot, dovecot_of
from fakemail.imap.content.bodystructure import body, bodystructure
from fakemail.imap.content.envelope import envelope
from fakemail.imap.content.search import SearchContext, compile_search
from fakemail.imap.content.sections import binary, section
from fakemail.imap.content.sort_thread import sort_order, thread, thread_lists
from fakemail.imap.syntax.fetch_items import Section, SectionText
from fakemail.imap.syntax.search_keys import (
    AddressContains,
    BodyContains,
    DateField,
    DateIs,
    DateRelation,
    HeaderContains,
    Not,
    Or,
    SearchKey,
    SizeIs,
    SortCriterion,
    SortField,
    TextContains,
    ThreadAlgorithm,
)
from fakemail.message import samples
from fakemail.message.mime import parse
from fakemail.store.content import Content
from fakemail.store.message import StoredMessage

pytestmark = pytest.mark.interop

_START = datetime(2024, 5, 17, 10, 0, tzinfo=UTC)

Ask = Callable[[Sequence[bytes], Sequence[bytes]], list[bytes]]


@pytest.fixture
def dovecot(program: Callable[[str], str]) -> Iterator[Ask]:
    """Puts messages into an empty mailbox, gives commands, returns the untagged answer to each."""
    with dovecot_of(program, "imap") as server:
        yield lambda messages, commands: _answers(server, messages, commands)


def _answers(server: Dovecot, messages: Sequence[bytes], commands: Sequence[bytes]) -> list[bytes]:
    with server.popen() as process:
        try:
            for place, raw in enumerate(messages):
                when = (_START + timedelta(minutes=place)).strftime("%d-%b-%Y %H:%M:%S +0000").encode()
                _say(process, b'APPEND INBOX "%b" {%d+}\r\n%b' % (when, len(raw), raw))
            _say(process, b"SELECT INBOX")
            # One at a time: Dovecot answers several at once with their data mixed.
            return [_say(process, command) for command in commands]
        finally:
            process.kill()


def _say(process: subprocess.Popen[bytes], command: bytes) -> bytes:
    """Give a command; return the untagged lines of its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"tag1 " + command + b"\r\n")
    process.stdin.flush()
    lines: list[bytes] = []
    for line in process.stdout:
        if line.startswith(b"tag1 "):
            assert line.startswith(b"tag1 OK"), (command, line)
            return b"".join(lines)
        if b"* PREAUTH" not in line:
            lines.append(line)
    raise AssertionError(f"Dovecot ended at {command!r}")


def _read(data: bytes) -> list[Any]:
    """Response data as lists of octets; atoms are told from strings by their type."""
    levels: list[list[Any]] = [[]]
    at = 0
    token = re.compile(
        rb'(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\r\n|([^ ()"{\r\n\[]+(?:\[[^\]]*\])?)|\s+', re.DOTALL
    )
    while at < len(data):
        match = token.match(data, at)
        assert match, data[at : at + 50]
        at = match.end()
        opened, closed, quoted, size, atom = match.groups()
        if opened:
            levels.append([])
        elif closed:
            done = levels.pop()
            levels[-1].append(done)
        elif quoted is not None:
            levels[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
        elif size:
            levels[-1].append(data[at : at + int(size)])
            at += int(size)
        elif atom:
            levels[-1].append(atom.decode())
    assert len(levels) == 1
    return levels[0]


def _folded(value: Any) -> Any:
    """Dovecot keeps the case of types, names of parameters and encodings, and white space at the ends."""
    if isinstance(value, list):
        return [_folded(one) for one in value]
    return b" ".join(value.lower().split()) if isinstance(value, bytes) else value


def _fetched(answer: bytes, item: str) -> list[Any]:
    """The value of one data item, message by message."""
    tokens = _read(answer)
    found = [one for one in tokens if isinstance(one, list)]
    return [values[values.index(item) + 1] for values in found]


_TRAPS = {
    "digest": b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nbody\r\n--b--\r\n",
    "no close delimiter": b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n",
    "close delimiter only": b"Content-Type: multipart/x; boundary=b\r\n\r\n--b--\r\n",
    "comments": b"Content-Type: text/plain (hi); charset=utf-8 (c)\r\nContent-Disposition: inline (c)\r\n"
    b"Content-Language: en (x), de\r\nContent-Location: http://x/\r\nContent-MD5: abc=\r\n\r\nx\r\n",
    "prefix": b"Content-Type: multipart/mixed; boundary=a\r\n\r\npre\r\n--a\r\n"
    b"Content-Type: multipart/alternative; boundary=ab\r\n\r\n--ab  \r\n\r\nx\r\n--ab--\r\n\r\n"
    b"--a\r\n\r\ny\r\n--a--\r\nepi\r\n",
    "enclosed": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\nX: y\r\n\r\n"
    b"From: a@b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nin\r\n--c--\r\n\r\n--b--\r\n",
    "whole enclosed": b"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ndeep",
    "encoded message": b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0K\r\n",
    "partial": b"Content-Type: message/partial; id=1\r\n\r\nSubject: x\r\n\r\nx\r\n",
    "empty parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b\r\n"
    b"Content-Type: image/png\r\n--b--\r\n",
    "8-bit": "Subject: café\r\nFrom: René <rené@exämple.test>\r\nContent-Description: é\r\n"
    "Content-Type: text/plain; name=é\r\n\r\né".encode(),
    "groups": b"From: A <a@b>\r\nTo: Grp: x@y, Z <z@z>;, after@g\r\nCc: undisclosed-recipients:;\r\n"
    b"Reply-To: <@a,@b:c@d>\r\nSender: bare\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <m@x>\r\nBcc: \r\n\r\n",
    "addresses": b'From: joe@x (Joe Q. Public), =?utf-8?q?J=2C?= <j@x>, "a b"@c, "Q \\" q" <q@c>, foo bar\r\n\r\n',
    "empty fields": b"From: \r\nTo:\r\nSubject:\r\nDate:\r\nMessage-ID:\r\nIn-Reply-To:\r\n\r\nx",
    "repeated addresses": b"From: a@b\r\nTo: a@a\r\nTo: b@b\r\n\r\nx",
}
# Where we differ, and why.
_DIFFERENT = {
    "empty": "Dovecot takes no empty message",
    "no header": "we take a first line that is no field for the body",
    "line without colon": "we end the header there, as Postfix and Python",
    "NUL octets": "an address with a NUL",
    "broken addresses": "we read more of them",
    "two subjects": "Dovecot takes the last one",
    "broken base64": "Dovecot ignores an encoding without Content-Type",
    "unknown encoding": "Dovecot ignores an encoding without Content-Type",
    "broken content type": "RFC 2045 §5.2 says text/plain",
    "line feeds only": "Dovecot makes line ends CRLF",
}


def _mail() -> dict[str, bytes]:
    good = {
        name: getattr(samples, name)()
        for name in ("plain", "html", "question", "newsletter", "with_attachment", "utf8", "inline_picture")
    }
    good["deep"] = samples.deep_mime(depth=5)
    broken = {name: raw for name, raw in samples.malformed().items() if name not in _DIFFERENT}
    return {name: bytes(raw) for name, raw in {**good, **broken, **_TRAPS}.items()}


def test_envelopes_and_structures(dovecot: Ask) -> None:
    mail = _mail()
    (answer,) = dovecot(list(mail.values()), [b"FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)"])
    for item, ours in (("ENVELOPE", None), ("BODY", body), ("BODYSTRUCTURE", bodystructure)):
        theirs = _fetched(answer, item)
        assert len(theirs) == len(mail)
        for (name, raw), expected in zip(mail.items(), theirs, strict=True):
            printed = envelope(raw) if ours is None else ours(parse(raw))
            assert (name, _folded(_read(printed)[0])) == (name, _folded(expected))


def _sections() -> list[Section]:
    numbers: list[tuple[int, ...]] = [
        (1,),
        (2,),
        (3,),
        (1, 1),
        (2, 1),
        (2, 2),
        (1, 1, 1),
        (2, 1, 1),
        (1, 2),
        (9,),
    ]
    wanted = [Section((), text) for text in (SectionText.ALL, SectionText.HEADER, SectionText.TEXT)]
    texts = (SectionText.ALL, SectionText.MIME, SectionText.HEADER, SectionText.TEXT)
    wanted += [Section(number, text) for number in numbers for text in texts]
    for text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        wanted += [Section(part, text, ("FROM", "SUBJECT")) for part in ((), (1,), (2,), (1, 1))]
    return wanted


def test_sections(dovecot: Ask) -> None:
    mail = {
        name: raw
        for name, raw in _mail().items()
        # Dovecot looks into an encoded message, and adds a blank line to a header that has none.
        if name not in ("encoded message", "no blank line")
    }
    wanted = _sections()
    names = [_written(one) for one in wanted]
    answers = dovecot(list(mail.values()), [b"FETCH 1:* BODY.PEEK[%b]" % name.encode() for name in names])
    for one, written, answer in zip(wanted, names, answers, strict=True):
        theirs = _fetched(answer, f"BODY[{written}]")
        for (name, raw), expected in zip(mail.items(), theirs, strict=True):
            ours = section(raw, one, root=parse(raw))
            if ours is not None:  # where there is no such part, Dovecot says nothing, or gives the one above
                assert (name, written, ours) == (name, written, expected)


def _written(wanted: Section) -> str:
    words = [str(number) for number in wanted.part]
    words += [wanted.text.value] if wanted.text.value else []
    return ".".join(words) + (f" ({' '.join(wanted.fields)})" if wanted.fields else "")


def test_decoded_parts(dovecot: Ask) -> None:
    mail = [bytes(samples.with_attachment()), bytes(samples.inline_picture()), bytes(samples.html())]
    numbers: list[tuple[int, ...]] = [(1,), (2,)]
    answers = dovecot(mail, [b"FETCH 1:* BINARY.PEEK[%d]" % number for (number,) in numbers])
    for number, answer in zip(numbers, answers, strict=True):
        theirs = _fetched(answer, f"BINARY[{number[0]}]")
        for raw, expected in zip(mail, theirs, strict=True):
            part = parse(raw).section(*number)
            if part is not None and not part.is_multipart:  # Dovecot decodes multiparts too
                assert binary(parse(raw), number) == expected


_SEARCHES: list[tuple[str, SearchKey]] = [
    ('SUBJECT "welcome"', HeaderContains("Subject", "welcome")),
    ('SUBJECT "CAF\u00c9"', HeaderContains("Subject", "CAFÉ")),
    ('FROM "a@b"', AddressContains("From", "a@b")),
    ('HEADER Content-Type ""', HeaderContains("Content-Type", "")),
    ('HEADER X-Mailer ""', HeaderContains("X-Mailer", "")),
    ('BODY "hello"', BodyContains("HELLO")),
    ('BODY "\u00e9"', BodyContains("é")),
    ('NOT BODY "the"', Not(BodyContains("the"))),
    ('TEXT "multipart"', TextContains("multipart")),
    ("LARGER 300", SizeIs(larger=True, size=300)),
    ("SMALLER 100", SizeIs(larger=False, size=100)),
    ("SENTSINCE 1-Jan-2024", DateIs(DateField.SENT, DateRelation.SINCE, date(2024, 1, 1))),
    # Not SENTBEFORE: Dovecot thinks that mail without a Date is of 1970.
    ("SENTON 17-May-2024", DateIs(DateField.SENT, DateRelation.ON, date(2024, 5, 17))),
    ("ON 17-May-2024", DateIs(DateField.INTERNAL, DateRelation.ON, date(2024, 5, 17))),
    ('OR BODY "deep" SUBJECT "x"', Or((BodyContains("deep"), HeaderContains("Subject", "x")))),
]


def test_searches(dovecot: Ask) -> None:
    # Dovecot does not guess that a header is in Latin-1.
    mail = [raw for name, raw in _mail().items() if name != "raw 8-bit header"]
    _compare(dovecot, mail, _SEARCHES)


_WORDS = [
    "straße",
    "strasse",
    "STRASSE",
    "café",
    "cafe\u0301",
    "ＡＢ",
    "ﬁn",
    "ǆ",
    "İ",
    "σοφος",
    "ΣΟΦΟΣ",
    "Привет",
]
_ASKED = [
    *_WORDS, "ß", "\u1e9e", "ss", "SS", "é", "É", "e\u0301", "cafe", "ab", "fin", "FI", "ǅ", "dž", "i\u0307", "ς",
    "пРИВЕТ",
]  # fmt: skip


def test_texts_are_compared_alike(dovecot: Ask) -> None:
    """RFC 5051: i;unicode-casemap."""
    mail = [
        f"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{word}\r\n".encode()
        for word in _WORDS
    ]
    _compare(dovecot, mail, [(f'BODY "{text}"', BodyContains(text)) for text in _ASKED])


def test_addresses_are_compared_alike(dovecot: Ask) -> None:
    """RFC 9051 §6.4.4: FROM and its like look at the addresses of the envelope."""
    mail = [
        b'From: Ann (the\r\n boss) Smith <ann@x.test>\r\nTo: "Doe, John" <john@x.test>,\r\n bob@x.test\r\n\r\n',
        b"From: =?utf-8?q?Ren=C3=A9?= =?utf-8?q?_M?= <r@x.test>\r\nTo: jdoe@test . example\r\n\r\n",
        b"From: eve@x.test\r\nTo: undisclosed:;\r\nCc: G: a@b.test, c@d.test;\r\n\r\n",
    ]
    asked = {
        "From": ["boss", "(the", "ann smith", "ann@x.test", "<ann", "ren\u00e9 m", "utf-8", "x.test", ""],
        "To": ["doe, john", "jdoe@test", "test . example", "undisclosed", ""],
        "Cc": ["a@b.test", "c@d", "G", ""],
        "Bcc": ["x", ""],
    }
    keys: list[tuple[str, SearchKey]] = []
    for name, texts in asked.items():
        keys += [(f'{name.upper()} "{text}"', AddressContains(name, text)) for text in texts]
    keys.append(('HEADER From "boss"', HeaderContains("From", "boss")))
    _compare(dovecot, mail, keys)


def test_reports_are_searched_alike(dovecot: Ask) -> None:
    kinds = ["message/delivery-status", "message/feedback-report", "message/disposition-notification",
             "message/partial; id=x; number=1; total=2", "message/external-body; access-type=URL",
             "message/global-delivery-status", "message/rfc822-headers", "text/rfc822-headers",
             "application/xml"]  # fmt: skip
    mail = [
        (
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b\r\n\r\npreamble\r\n"
            f"--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: {kind}\r\n\r\nFinal-Recipient: bob\r\n\r\nmore\r\n"
            "--b--\r\n"
        ).encode()
        for kind in kinds
    ]
    words = ["final-recipient", "bob", "more", "failed", "preamble", "Content-Type"]
    _compare(dovecot, mail, [(f'BODY "{word}"', BodyContains(word)) for word in words])


def _compare(dovecot: Ask, mail: Sequence[bytes], searches: Sequence[tuple[str, SearchKey]]) -> None:
    answers = dovecot(mail, [f"SEARCH CHARSET UTF-8 {_literal(written)}".encode() for written, _ in searches])
    context = SearchContext(now=_START, largest_number=len(mail), largest_uid=len(mail))
    box = _box(mail)
    for (written, key), answer in zip(searches, answers, strict=True):
        test = compile_search(key, context)
        ours = [number for number, message in enumerate(box, 1) if test(message, number)]
        assert (written, ours) == (written, [int(one) for one in answer.split()[2:]])


def _literal(written: str) -> str:
    """Quoted strings beyond ASCII as literals, which IMAP4rev1 wants."""

    def literal(match: re.Match[str]) -> str:
        text = match[1]
        return match[0] if text.isascii() else f"{{{len(text.encode())}+}}\r\n{text}"

    return re.sub('"([^"]*)"', literal, written)


def _box(mail: Sequence[bytes]) -> list[StoredMessage]:
    return [
        StoredMessage(
            place + 1, Content(raw), frozenset(), _START + timedelta(minutes=place), 1, _START, None, "box"
        )
        for place, raw in enumerate(mail)
    ]


_SUBJECTS = [
    "Hello", "World", "Re: Hello", "RE: Re[2]: [list] World", "[fwd: Hello]", "Fwd: hello (fwd)", "[x] [y]", "",
    "re : x", "[a] Hello", "HELLO", "=?utf-8?q?caf=C3=A9?=", "=?utf-8?q?CAF=C3=89?=", "Re:", "re: [b]", "x [fwd: y]",
    "[fwd: [fwd: World]]",
]  # fmt: skip
_PEOPLE = ["b@x", "A Name <zed@y>", '"q" <c@z>', "=?utf-8?q?=C3=A9?= <d@d>", "grp: a@b;", "<r@s>"]


def _conversation(seed: int) -> list[bytes]:
    dice = random.Random(seed)
    count = dice.choice([5, 8, 12, 40])
    mail = []
    for place in range(count):
        own = dice.choice([place, place, place, dice.randrange(count)])
        fields = [f"From: {dice.choice(_PEOPLE)}", f"Message-ID: <{own}@x>"]
        if dice.random() < 0.5:
            ids = [f"<{dice.randrange(count + 5)}@x>" for _ in range(dice.randrange(5))]
            fields.append(f"References: {' '.join(ids)}")
        if dice.random() < 0.4:
            fields.append(f"In-Reply-To: <{dice.randrange(count + 5)}@x>")
        if dice.random() < 0.9:
            zone = dice.choice(["+0000", "+0200", "-0800"])
            fields.append(f"Date: Mon, {dice.randrange(1, 6):02} Jan 2024 10:00:0{dice.randrange(3)} {zone}")
        if dice.random() < 0.95:
            fields.append(f"Subject: {dice.choice(_SUBJECTS)}")
        if dice.random() < 0.8:
            fields.append(f"To: {dice.choice(_PEOPLE)}")
        mail.append(("\r\n".join(fields) + "\r\n\r\n" + "body\r\n" * dice.randrange(3)).encode())
    return mail


_CRITERIA = [
    *(((field, False),) for field in SortField),
    ((SortField.SUBJECT, True), (SortField.DATE, False)),
    ((SortField.DATE, True), (SortField.FROM, True), (SortField.SIZE, False)),
]


@pytest.mark.parametrize("seed", range(12))
def test_sort_and_thread(dovecot: Ask, seed: int) -> None:
    mail = _conversation(seed)
    box = _box(mail)
    words = [
        " ".join(("REVERSE " if reverse else "") + field.value for field, reverse in criteria)
        for criteria in _CRITERIA
    ]
    commands = [f"SORT ({one}) UTF-8 ALL".encode() for one in words]
    commands += [f"THREAD {one.value} UTF-8 ALL".encode() for one in ThreadAlgorithm]
    answers = iter(dovecot(mail, commands))
    for written, criteria in zip(words, _CRITERIA, strict=True):
        order = sort_order(box, [SortCriterion(field, reverse) for field, reverse in criteria])
        theirs = [int(number) for number in next(answers).split()[2:]]
        assert (written, [place + 1 for place in order]) == (written, theirs)
    for algorithm in ThreadAlgorithm:
        ours = thread_lists(thread(box, algorithm), range(1, len(box) + 1))
        assert ours == next(answers).removeprefix(b"* THREAD ").strip()


def test_addresses_as_in_dovecot(dovecot: Ask) -> None:
    """RFC 5322 §4.4 and appendix A: comments, groups, white space where it is obsolete."""
    lists = [
        b"jdoe@test  . example",
        b"Mary Smith <@node.test:mary@example.net>, jdoe@test(x) . (y)example",
        b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
        b"pete(his account)@silly.test(his host)",
        b"A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n"
        b"\tJohn <jdoe@one.test> (my dear friend); (the end of the group)",
        b"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
        b"John Doe <jdoe@machine(comment).  example>",
        b"Undisclosed-Recipient:;",
        b"Undisclosed-Recipient:;@relay.test",
        b'"Undisclosed-Recipient:;"',
        b'"a b"@c.test, "a@b"@c.test, "a\\"b"@c.test',
        b"bob@example.org (one) (two)",
        b"bob@[ 192.0.2.1 ], <bob@[IPv6:::1]>",
        b"=?utf-8?q?Smith=2C_Bob?= <b@b.test>, ann@b.test (=?utf-8?q?=C3=84nn?=)",
        b"Bob < bob @b.test > trailing",
    ]
    messages = [b"From: x@y.test\r\nTo: " + each + b"\r\n\r\nHello\r\n" for each in lists]
    (answer,) = dovecot(messages, [b"FETCH 1:* (ENVELOPE)"])
    theirs = re.findall(rb"FETCH \(ENVELOPE (.*?)\)\r\n(?=\*|\Z)", answer, re.DOTALL)
    assert theirs == [envelope(message) for message in messages]
