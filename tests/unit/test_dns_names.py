"""Domain names between text and labels."""

from __future__ import annotations

import pytest

from fakemail.dns.names import (
    ancestors,
    is_under,
    labels_to_text,
    name_key,
    parent_of,
    read_name,
    reverse_name,
    text_to_labels,
)
from fakemail.errors import DeclarationError


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("example.org", (b"example", b"org")),
        ("example.org.", (b"example", b"org")),
        ("", ()),
        (".", ()),
        ("_dmarc.Example.ORG", (b"_dmarc", b"Example", b"ORG")),
        ("*.example.org", (b"*", b"example", b"org")),
        (r"john\.doe.example.org", (b"john.doe", b"example", b"org")),
        (r"a\032b\000\255.test", (b"a b\x00\xff", b"test")),
        ("xn--bcher-kva.test", (b"xn--bcher-kva", b"test")),
        ("bücher.test", (b"xn--bcher-kva", b"test")),
        ("STRASSE.faß.test", (b"STRASSE", b"xn--fa-hia", b"test")),
        ("a#b.test", (b"a#b", b"test")),
    ],
)
def test_a_name_is_read_into_its_labels(text: str, labels: tuple[bytes, ...]) -> None:
    assert text_to_labels(read_name(text)) == labels
    assert text_to_labels(labels_to_text(labels)) == labels


def test_the_key_of_a_name_is_lower_case_and_without_the_final_dot() -> None:
    assert name_key("MX1.Example.ORG.") == "mx1.example.org"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a..b", "a label in it is empty"),
        (".a", "a label in it is empty"),
        ("a..", "a label in it is empty"),
        ("x" * 64 + ".test", "a label has 64 octets, 63 are allowed"),
        (".".join(["x" * 63] * 4), "more than 255 octets"),
        (r"a\999.test", "bad escape at character 2"),
        ("a\\", "bad escape at character 2"),
        ("-ü-.test", "'-ü-.test' is not a domain name"),
    ],
)
def test_a_bad_name_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read_name(text)
    assert problem in str(refused.value)


def test_the_longest_name_and_label_are_allowed() -> None:
    longest = ".".join(["x" * 63] * 3 + ["x" * 61])
    assert len(longest) == 253
    assert read_name(longest) == longest
    with pytest.raises(DeclarationError):
        read_name("x" + longest)


def test_ancestors_walk_up_to_the_root() -> None:
    assert list(ancestors("a.b.test")) == ["a.b.test", "b.test", "test", ""]
    assert list(ancestors("")) == [""]


def test_a_dot_inside_a_label_is_not_a_border() -> None:
    assert parent_of(r"john\.doe.test") == "test"
    assert not is_under(r"a\.test", "test")


def test_under_is_by_labels_and_not_by_letters() -> None:
    assert is_under("a.example.org", "example.org")
    assert is_under("example.org", "example.org")
    assert is_under("example.org", "")
    assert not is_under("notexample.org", "example.org")
    assert not is_under("org", "example.org")


def test_reverse_names() -> None:
    assert reverse_name("192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse_name("2001:db8::1").startswith("1.0.0.0.")
    assert reverse_name("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa")
    with pytest.raises(DeclarationError, match=r"'example\.org' is not an IP address"):
        reverse_name("example.org")
