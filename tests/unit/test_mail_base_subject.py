"""The base subject of RFC 5256 §2.1, case by case."""

from __future__ import annotations

import pytest

from fakemail.message.base_subject import base_subject, read_subject


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("", "", False),
        ("   ", "", False),
        ("Hello", "Hello", False),
        ("  Hello \t\r\n  World  ", "Hello World", False),
        ("Re: Hello", "Hello", True),
        ("RE:Hello", "Hello", True),
        ("re : Hello", "Hello", True),
        ("Re[2]: Hello", "Hello", True),
        ("Re [x] : Hello", "Hello", True),
        ("Fw: Hello", "Hello", True),
        ("FWD: Hello", "Hello", True),
        ("Fwd[3]:Hello", "Hello", True),
        ("Re: Fwd: re: Hello", "Hello", True),
        ("Re Hello", "Re Hello", False),
        ("Reg: Hello", "Reg: Hello", False),
        ("Re:", "", True),
        ("Re: Re:", "", True),
        # subj-blob
        ("[list] Hello", "Hello", False),
        ("[list][two] Hello", "Hello", False),
        ("[list]", "[list]", False),
        ("[a] [b]", "[b]", False),
        ("Re: [list]", "[list]", True),
        ("[list] Re: Hello", "Hello", True),
        ("[a] [b] Re: [c] Hello", "Hello", True),
        ("[a]Re[b]:[c]Hello", "Hello", True),
        ("[unclosed Hello", "[unclosed Hello", False),
        ("[a[b]] Hello", "[a[b]] Hello", False),
        ("Hello [list]", "Hello [list]", False),
        # subj-trailer
        ("Hello (fwd)", "Hello", True),
        ("Hello (FWD) (fwd)  ", "Hello", True),
        ("(fwd)", "", True),
        ("Hello (forward)", "Hello (forward)", False),
        ("(fwd) Hello", "(fwd) Hello", False),
        # subj-fwd
        ("[fwd: Hello]", "Hello", True),
        ("[Fwd: Re: Hello (fwd)]", "Hello", True),
        ("[fwd: [fwd: Hello]]", "Hello", True),
        ("[fwd: [list] Hello]", "Hello", True),
        ("Re: [fwd: Hello] (fwd)", "Hello", True),
        ("[fwd: x] y", "y", False),
        ("[fwd: Hello", "[fwd: Hello", False),
        ("[fwd:]", "", True),
        ("x [fwd: y]", "x [fwd: y]", False),
        ("Ｒe: Hello", "Ｒe: Hello", False),
    ],
)
def test_base_subjects(subject: str, base: str, is_reply: bool) -> None:
    assert read_subject(subject) == (base, is_reply)
    assert base_subject(subject) == base


@pytest.mark.parametrize("unit", ["[a]", "Re:", "[fwd:", "(fwd)", " [", "re [", "[fwd: [x]", "]", "re [x] "])
@pytest.mark.timeout(20)
def test_hostile_repetition_ends(unit: str) -> None:
    # Would take minutes if each step read the whole rest again.
    times = 30_000
    assert len(base_subject(unit * times)) <= len(unit) * times
    assert len(base_subject(unit * times + "]" * times)) <= (len(unit) + 1) * times
