"""Rules and thresholds as a test gives them, the score, and the fields that tell of it."""

from __future__ import annotations

from typing import Any

import pytest

from fakemail.errors import DeclarationError
from fakemail.message.message import MessageView
from fakemail.model.content_rules import KEYWORDS, ContentRules, Thresholds, read_rules, read_thresholds
from fakemail.policy.content.checks import CHECKS, SpamScore, score, with_fields
from fakemail.policy.finding import AuthStatus, Finding


def found(name: str, points: float) -> Finding:
    return Finding(name, AuthStatus.FAIL, "something", score=points)


@pytest.mark.parametrize(
    ("points", "step"),
    [
        (4.9, ""),
        (5.0, "tag"),
        (7.9, "tag"),
        (8.0, "quarantine"),
        (15.0, "refuse"),
        (1000.0, "refuse"),
        (-3.0, ""),
    ],
)
def test_a_step_for_a_score(points: float, step: str) -> None:
    assert Thresholds(5, 8, 15).step(points) == step


def test_a_threshold_that_is_not_given_is_never_reached() -> None:
    assert read_thresholds({"refuse": 15}) == Thresholds(None, None, 15.0)
    assert Thresholds(None, None, 15).step(14) == ""
    assert read_thresholds(True).step(1000) == "tag"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"tagg": 5}, "there is no step 'tagg'; did you mean 'tag'?"),
        ({"tag": "5"}, "'tag' must be a number of points, not '5'"),
        ({"tag": True}, "'tag' must be a number of points, not True"),
        ({"tag": 9, "refuse": 5}, "a message is tagged before it is quarantined"),
        (5, "give thresholds such as {'tag': 5"),
        (False, "give thresholds such as {'tag': 5"),
    ],
)
def test_wrong_thresholds(value: object, words: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read_thresholds(value, where="domain 'example.org': ")
    assert words in str(refused.value)
    assert str(refused.value).startswith("domain 'example.org': ")


def test_points_are_added_up() -> None:
    result = score(
        [found("a", 1.1), found("b", 2.2), Finding("c", AuthStatus.PASS), found("a", 0.1), found("d", -1)]
    )
    assert result == SpamScore(2.4, 5.0, ("a", "b", "d"))
    assert not result.is_spam
    assert score([found("a", 5)]).is_spam


def test_the_fields_are_those_that_filters_write() -> None:
    fields = MessageView(score([found("gtube", 6.5), found("nul", 1)]).fields() + b"\r\nHello").headers
    assert dict(fields.items()) == {
        "X-Spam-Flag": "YES",
        "X-Spam-Score": "7.5",
        "X-Spam-Level": "*******",
        "X-Spam-Status": "Yes, score=7.5 required=5.0\ttests=gtube,nul",
    }


def test_the_fields_of_good_mail() -> None:
    assert score([]).fields() == (
        b"X-Spam-Flag: NO\r\nX-Spam-Score: 0.0\r\nX-Spam-Status: No, score=0.0 required=5.0\r\n\ttests=none\r\n"
    )


def test_the_fields_of_many_checks_are_folded() -> None:
    fields = score([found(name, 100) for name in CHECKS]).fields()
    lines = fields.split(b"\r\n")
    assert max(len(line) for line in lines) <= 78
    unfolded = b"".join(line.strip() for line in lines)
    assert ",".join(CHECKS).encode() in unfolded
    assert b"X-Spam-Level: " + b"*" * 50 + b"\r\n" in fields


def read(**changes: Any) -> ContentRules:
    return read_rules(changes, where="domain 'example.org': ")


def test_rules_that_are_not_given_stay_as_they_are() -> None:
    assert read() == ContentRules()
    assert read(max_links=3) == ContentRules(max_links=3)
    assert read(extensions=[".EXE", "js"]).extensions == {"exe", "js"}
    assert read(url_blocklists="uribl.test").url_blocklists == ("uribl.test",)
    assert read(points={"gtube": 3}).points == (("gtube", 3.0),)


def test_keywords_are_added_and_taken_away() -> None:
    rules = read(keywords={"Blue   Socks": 3, "act now": 0})
    assert ("blue socks", 3.0) in rules.keywords
    assert set(KEYWORDS) - set(rules.keywords) == {("act now", 0.5)}
    assert hash(rules) != hash(ContentRules())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_link": 3}, "there is no rule 'max_link'; did you mean 'max_links'"),
        ({"max_links": -1}, "'max_links' must be a whole number from 0 up, not -1"),
        ({"max_links": 1.5}, "'max_links' must be a whole number from 0 up, not 1.5"),
        ({"points": {"gtub": 3}}, "there is no check 'gtub'; did you mean 'gtube'?"),
        ({"points": 3}, "'points' must give points by name"),
        ({"keywords": {"x": "3"}}, "'x' must have a number of points, not '3'"),
        ({"extensions": 3}, "'extensions' must be a list of strings, not 3"),
        ({"extensions": [3]}, "'extensions' must be a list of strings; 3 is none"),
    ],
)
def test_wrong_rules(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read(**changes)
    assert words in str(refused.value)
    assert str(refused.value).startswith("domain 'example.org': ")


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"Subject: x\r\n\r\nX-Spam-Flag: NO\r\n", b"Subject: x\r\n\r\nX-Spam-Flag: NO\r\n"),
        (b"X-Spam-Flag: NO\r\nSubject: x\r\n\r\n", b"Subject: x\r\n\r\n"),
        (b"Subject: x\r\nX-Spam-Status: No,\r\n\tscore=0\r\n\r\n", b"Subject: x\r\n\r\n"),
        (b"X-Spam-Level: *", b""),
        (b"Hello", b"\r\nHello"),
        (b"", b""),
    ],
)
def test_fields_of_another_filter_are_taken_away(raw: bytes, left: bytes) -> None:
    assert with_fields(raw, b"X-Spam-Flag: YES\r\n") == b"X-Spam-Flag: YES\r\n" + left
