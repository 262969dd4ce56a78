"""The env file: what it means to a shell, and how it comes and goes."""

from __future__ import annotations

import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.errors import DeclarationError
from fakemail.sandbox.env_file import MARKER, env_file, env_text, quote


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
    path.write_text(f"{MARKER}\nLEFT=over\n")
    with env_file(path, {"A": "1", "B": "x y"}):
        assert path.read_text() == f"{MARKER}\nA=1\nB='x y'\n"
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


@pytest.mark.parametrize("content", ["SECRET=1\n", "", f"{MARKER} no more\n", f"\n{MARKER}\n"])
def test_a_file_that_is_not_ours_is_neither_replaced_nor_removed(tmp_path, content):
    path = tmp_path / ".env"
    path.write_text(content)
    with pytest.raises(DeclarationError) as caught, env_file(path, {"A": "1"}):
        pass
    assert str(caught.value) == (
        f"{path}: this file is not fakemail's (its first line is not '# written by fakemail'), so it is left "
        "as it is. Name another file, or remove this one."
    )
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_file_that_is_not_ours(tmp_path):
    real, link = tmp_path / "real.env", tmp_path / "fake.env"
    real.write_text("SECRET=1\n")
    link.symlink_to(real)
    with pytest.raises(DeclarationError, match="left as it is"), env_file(link, {"A": "1"}):
        pass
    assert link.is_symlink()
    assert real.read_text() == "SECRET=1\n"


def test_a_file_that_its_user_has_made_his_own_stays(tmp_path):
    path = tmp_path / "fake.env"
    with env_file(path, {"A": "1"}):
        path.write_text("SECRET=1\n")
    assert path.read_text() == "SECRET=1\n"


def test_a_directory_in_its_place(tmp_path):
    path = tmp_path / "fake.env"
    path.mkdir()
    with (
        pytest.raises(DeclarationError, match=r"fake\.env: the env file cannot be written: Is a directory\."),
        env_file(path, {"A": "1"}),
    ):
        pass
    assert list(tmp_path.iterdir()) == [path]
