"""Addresses, replies, durations, ids, stages, reasons, verdicts, fates and help for mistyped names."""

from datetime import timedelta

import pytest

from fakemail.errors import DeclarationError, ProtocolError, nearest
from fakemail.types import fate
from fakemail.types.address import NULL_PATH, Address, NullPath, address, is_domain_name, quote_local
from fakemail.types.duration import days, hours, minutes, seconds
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply, read_reply
from fakemail.types.seeded_random import SeededRandom, seed_from
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, VerdictAction, deferred, refused

BOB = address("bob@example.org")


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("bob@example.org", "bob", "example.org"),
        ("Bob+tag@EXAMPLE.org", "Bob+tag", "example.org"),
        ('"a b"@example.org', "a b", "example.org"),
        ('"a@b"@example.org', "a@b", "example.org"),
        ('"a\\"\\\\b"@example.org', 'a"\\b', "example.org"),
        ('""@example.org', "", "example.org"),
        ("o'brien@x", "o'brien", "x"),
        ("jürgen@bücher.example", "jürgen", "xn--bcher-kva.example"),
        ("bob@BÜCHER。example.", "bob", "xn--bcher-kva.example"),
    ],
)
def test_address_is_read_and_written(text: str, local: str, domain: str) -> None:
    read = address(text)
    assert (read.local, read.domain) == (local, domain)
    assert address(str(read)) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bob", "there is no '@'"),
        ("", "there is no '@'"),
        ("@example.org", "the part before '@' is ''"),
        ("a b@example.org", "the part before '@' is 'a b'"),
        ("a..b@example.org", "the part before"),
        (".a@example.org", "the part before"),
        ('"a"b"@example.org', "the part before"),
        ('"a\\"@example.org', "the part before"),
        ('"@example.org', "the part before"),
        ('"a\r\nb"@example.org', "the part before"),
        ("bob@", "'' is not a domain name"),
        ("bob@-x.org", "'-x.org' is not a domain name"),
        ("bob@a..b", "'a..b' is not a domain name"),
        ("bob@\udcff.org", "is not a domain name"),
        ("\udcff@example.org", "the part before"),
        ("bob@example.org\n", "is not a domain name"),
    ],
)
def test_text_that_is_no_address(text: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        address(text)


def test_address_key_ignores_case_and_equality_does_not() -> None:
    assert address("BOB@example.org").key == BOB.key == "bob@example.org"
    assert address("BOB@example.org") != BOB
    assert BOB.is_ascii
    assert not address("jürgen@bücher.example").is_ascii
    assert address("bob@bücher.example").is_ascii  # its domain is sent as A-labels


def test_null_path_is_a_value_of_its_own() -> None:
    assert NullPath() == NULL_PATH
    assert (str(NULL_PATH), repr(NULL_PATH)) == ("<>", "NULL_PATH")
    assert NULL_PATH not in ("", "<>")


def test_domain_name_limits() -> None:
    assert is_domain_name("a" * 63 + ".org")
    assert not is_domain_name("a" * 64 + ".org")
    assert is_domain_name(".".join(["a" * 63] * 3 + ["b" * 61]))
    assert not is_domain_name(".".join(["a" * 63] * 4 + ["b"]))
    assert not any(map(is_domain_name, ("", ".", "a.", "a_b.org", "a b", "a-.org")))
    assert quote_local("a.b") == "a.b"
    assert quote_local("a..b") == '"a..b"'


def test_replies_are_equal_by_their_codes() -> None:
    assert Reply(550, "5.1.1", "one") == Reply(550, "5.1.1", "other")
    assert Reply(550, "5.1.1") != Reply(550)
    assert Reply(550) != Reply(551)
    assert len({Reply(250, None, "a"), Reply(250, None, "b")}) == 1


@pytest.mark.parametrize(
    ("code", "enhanced", "words"),
    [
        (199, None, "starts with 2, 3, 4 or 5, not 199"),
        (600, None, "not 600"),
        (550, "4.1.1", "does not go with reply code 550"),
        (354, "2.0.0", "does not go with"),
        (550, "5.1", "'5.1' is not an enhanced status code"),
        (550, "5.\u0661.1", "is not an enhanced status code"),
        (550, "5.1.1 ", "is not an enhanced status code"),
    ],
)
def test_impossible_replies(code: int, enhanced: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reply(code, enhanced)


def test_reply_on_the_wire() -> None:
    assert Reply(250).wire == b"250 \r\n"
    assert Reply(250, "2.0.0").wire == b"250 2.0.0\r\n"
    assert Reply(250, "2.0.0", "a\nb").wire == b"250-2.0.0 a\r\n250 2.0.0 b\r\n"
    assert Reply(250, None, "a\nb\nc").wire == b"250-a\r\n250-b\r\n250 c\r\n"
    assert str(Reply(250, "2.1.0", "a\nb")) == "250 2.1.0 a / 2.1.0 b"
    assert str(Reply(354)) == "354"


def test_reply_classes() -> None:
    assert [Reply(code).is_positive for code in (250, 354, 450, 550)] == [True, True, False, False]
    assert [Reply(code).is_transient for code in (354, 450, 550)] == [False, True, False]
    assert [Reply(code).is_permanent for code in (450, 550)] == [False, True]


@pytest.mark.parametrize(
    ("lines", "code", "enhanced", "text"),
    [
        ([b"250"], 250, None, ""),
        ([b"250 "], 250, None, ""),
        ([b"250-a", b"250 b"], 250, None, "a\nb"),
        ([b"550 5.1.1 no"], 550, "5.1.1", "no"),
        ([b"550 5.1.1"], 550, "5.1.1", ""),
        ([b"550-5.1.1 no", b"550 5.1.1 really"], 550, "5.1.1", "no\nreally"),
        ([b"550-5.1.1 no", b"550 5.7.1 really"], 550, "5.1.1", "no\n5.7.1 really"),
        ([b"550-no", b"550 5.1.1 really"], 550, None, "no\n5.1.1 really"),
        ([b"550 4.1.1 no"], 550, None, "4.1.1 no"),
        ([b"250 \xff\xc3\xa9"], 250, None, "\udcffé"),
    ],
)
def test_read_reply(lines: list[bytes], code: int, enhanced: str | None, text: str) -> None:
    reply = read_reply(lines)
    assert (reply.code, reply.enhanced, reply.text) == (code, enhanced, text)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "an empty reply"),
        ([b""], "not a reply line"),
        ([b"abc"], "not a reply line"),
        ([b"25"], "not a reply line"),
        ([b"2500"], "not a reply line"),
        ([b"250ok"], "not a reply line"),
        ([b"199 a"], "not a reply line"),
        ([b"260 a"], "not a reply line"),
        ([b"250-a"], "continuation"),
        ([b"250 a", b"250 b"], "continuation"),
        ([b"250-a", b"251 b"], "not a reply line"),
        ([b"250-a", b"b"], "not a reply line"),
    ],
)
def test_malformed_replies(lines: list[bytes], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        read_reply(lines)


def test_durations() -> None:
    assert seconds(90) == minutes(1.5) == timedelta(seconds=90)
    assert hours(24) == days(1) == timedelta(days=1)


def test_one_seed_replays_everything() -> None:
    def play(seed: int) -> list[object]:
        chance = SeededRandom(seed)
        items = list(range(9))
        chance.shuffle(items)
        return [chance.token(), chance.randbytes(4), chance.queue_id(), items, chance.probability()]

    assert play(1) == play(1)
    assert play(1) != play(2)
    assert seed_from("test_a") == seed_from("test_a") != seed_from("test_b")


def test_queue_ids_differ_and_keep_their_order() -> None:
    chance = SeededRandom(7)
    made = [chance.queue_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert made == sorted(made)
    assert len(chance.token(5)) == len(chance.randbytes(5)) == 5


@pytest.mark.parametrize("words", [Stage, Reason])
def test_stages_and_reasons_have_one_name_each(words: type[Stage] | type[Reason]) -> None:
    assert len(words.__members__) == len(list(words)) == len({member.value for member in words})
    assert all(str(member) == member.value for member in words)


def test_verdicts() -> None:
    assert ACCEPTED.is_accepted
    assert refused(Reason.NULL_MX, "x").action is VerdictAction.REFUSE
    assert deferred(Reason.TIMEOUT).action is VerdictAction.DEFER
    assert not deferred(Reason.TIMEOUT).is_accepted


def test_nearest() -> None:
    assert nearest("exmaple.org", ["example.org", "shop.test"]) == "did you mean 'example.org'?"
    assert nearest("zzz", []) == "none is declared."
    assert nearest("zzz", ["b", "a"]) == "known: a, b."
    assert nearest("zzz", [f"n{n:02}" for n in range(12)]).endswith("n09 and 2 more.")


NO = Reply(550, "5.1.1", "go away")


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (fate.Delivered(BOB), "delivered to bob@example.org, INBOX"),
        (
            fate.Refused(Stage.SMTP_RCPT, NO, Reason.NO_SUCH_USER, host="mx"),
            "refused at smtp.rcpt by mx: 550 5.1.1 (no such user)",
        ),
        (fate.Refused(Stage.ROUTE), "refused at route"),
        (fate.Bounced(Stage.SMTP_END, NO), "bounced after a refusal at smtp.end: 550 5.1.1"),
        (fate.Expired(Reply(421), host="mx"), "expired in the queue of mx: 421"),
        (
            fate.Discarded(Reason.LOCAL_ERROR, host="mx"),
            "silently discarded by mx: local error",
        ),
        (fate.Quarantined("Junk"), "quarantined in Junk"),
        (fate.Queued(None, Reason.TIMEOUT), "waiting in the queue: timeout"),
        (fate.Dropped(Stage.SMTP_RCPT, host="mx"), "abandoned by the client after smtp.rcpt of mx"),
        (fate.InProgress(Stage.SMTP_MAIL), "underway, after smtp.mail"),
    ],
)
def test_fates_say_what_happened(end: fate.Fate, sentence: str) -> None:
    assert str(end) == sentence
    assert end.is_final is not isinstance(end, fate.Queued | fate.InProgress)


def test_fates_are_compared_by_meaning() -> None:
    told = fate.Refused(Stage.SMTP_RCPT, NO, Reason.NO_SUCH_USER, host="mx1")
    assert told == fate.Refused(at=Stage.SMTP_RCPT, reply=Reply(550, "5.1.1"), reason=Reason.NO_SUCH_USER)
    assert told != fate.Refused(Stage.SMTP_RCPT, Reply(550), Reason.NO_SUCH_USER)
    assert told != fate.Bounced(Stage.SMTP_RCPT, NO, Reason.NO_SUCH_USER)
    assert fate.Queued() != fate.Expired()
    assert fate.Delivered(BOB) == fate.Delivered(Address("bob", "example.org"), "INBOX")
