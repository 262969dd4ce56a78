"""The env file: what it means to a shell, and how it comes and goes."""

from __future__ import annotations

import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.errors import DeclarationError
from fakemail.sandbox.env_file import env_file, env_text, quote


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1025", "1025"),
        ("/tmp/ca.pem", "/tmp/ca.pem"),
        ("ann@example.org", "ann@example.org"),
        ("", "''"),
        ("two words", "'two words'"),
        ("pa$$`x`", "'pa$$`x`'"),
        ("it's", '"it\'s"'),
        ('back\\slash and "quotes"', '"back\\\\slash and \\"quotes\\""'),
        ("a#b", "'a#b'"),
    ],
)
def test_each_value_has_the_plainest_spelling(value, written):
    assert quote("NAME", value) == written


@pytest.mark.parametrize("value", ["it's $5", "back\\slash `x`", "a${b}"])
def test_what_no_spelling_can_carry_is_refused(value):
    with pytest.raises(DeclarationError) as caught:
        quote("FAKEMAIL_PASS1", value)
    assert str(caught.value) == (
        "FAKEMAIL_PASS1: this value cannot be written so that shells and .env readers understand it alike; "
        "avoid '$' and '`' together with quotes or backslashes, and avoid '${'."
    )


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"])), min_size=5, max_size=40
    )
)
def test_a_shell_reads_what_was_written(values):
    named = {f"V{number}": value for number, value in enumerate(values) if _can_be_written(value)}
    script = env_text(named) + "\n".join(f"printf '%s\\0' \"${name}\"" for name in named)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == list(named.values())


def _can_be_written(value: str) -> bool:
    try:
        quote("V", value)
    except DeclarationError:
        return False
    return True


def test_the_file_is_there_during_the_block_and_private(tmp_path):
    path = tmp_path / "fake.env"
    path.write_text("left over")
    with env_file(path, {"A": "1", "B": "x y"}):
        assert path.read_text() == "A=1\nB='x y'\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "fake.env"
    with env_file(path, {"A": "1"}), env_file(path, {"A": "2"}):
        pass
    other = tmp_path / "other.env"
    with env_file(other, {"A": "1"}):
        draft = tmp_path / "draft"
        draft.write_text("theirs")
        draft.replace(other)
    assert other.read_text() == "theirs"


def test_a_directory_in_its_place(tmp_path):
    path = tmp_path / "fake.env"
    path.mkdir()
    with (
        pytest.raises(DeclarationError, match=r"fake\.env: the env file cannot be written: Is a directory\."),
        env_file(path, {"A": "1"}),
    ):
        pass
    assert list(tmp_path.iterdir()) == [path]
