"""--mailnet-hygiene and hygiene= of the marker."""

from __future__ import annotations

import pytest

INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
TEST = """
import pytest, smtplib

{mark}
def test_banner(mailnet):
    assert mailnet.hygiene == {wanted!r}
    mailnet.account("bob@example.org")
    with mailnet.mx("example.org").smtplib() as client:
        client.noop()
"""


@pytest.mark.parametrize(
    ("option", "mark", "wanted"),
    [
        ("", "", False),
        ("--mailnet-hygiene", "", True),
        ("--mailnet-hygiene=retries", "", "retries"),
        ("--mailnet-hygiene=on", "@pytest.mark.mailnet(hygiene=False)", False),
        ("", "@pytest.mark.mailnet(hygiene='retries')", "retries"),
    ],
)
def test_ways_to_say_it(project: pytest.Pytester, option: str, mark: str, wanted: object) -> None:
    project.makepyfile(TEST.format(mark=mark, wanted=wanted))
    project.runpytest(*([option] if option else [])).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "described", "option", "mark", "wanted"),
    [
        ("on", "", "", "", True),
        ("retries", "", "--mailnet-hygiene=off", "", False),
        ("on", "hygiene = false", "", "", False),
        ("off", "hygiene = true", "", "", True),
        ("off", 'hygiene = "retries"', "--mailnet-hygiene", "", True),
        ("off", "hygiene = true", "", "hygiene=False", False),
        ("on", "seed = 3", "", "", True),
    ],
)
def test_the_nearest_word_wins(
    project: pytest.Pytester, ini: str, described: str, option: str, mark: str, wanted: object
) -> None:
    project.path.joinpath("world.toml").write_text(described)
    project.makeini(f"{INI}mailnet_hygiene = {ini}\n")
    words = ", ".join(filter(None, ["config='world.toml'", mark]))
    project.makepyfile(TEST.format(mark=f"@pytest.mark.mailnet({words})", wanted=wanted))
    project.runpytest(*([option] if option else [])).assert_outcomes(passed=1)


def test_a_wrong_word_in_the_ini_file_says_what_is_right(project: pytest.Pytester) -> None:
    project.makeini(f"{INI}mailnet_hygiene = much\n")
    run = project.runpytest()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*mailnet_hygiene in the ini file is one of on, retries, off, not 'much'."])


def test_an_app_that_reads_once_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import socket

        def test_careless(mailnet):
            mailnet.domain("example.org")
            mx = mailnet.mx("example.org")
            with socket.create_connection((mx.host, mx.port)) as client:
                assert client.recv(1000).endswith(b"ESMTP fakemail\\r\\n")
                for _ in range(5):
                    client.sendall(b"NOOP\\r\\n")
                    assert client.recv(1000) == b"250 2.0.0 OK\\r\\n"
        """
    )
    project.runpytest().assert_outcomes(passed=1)
    project.runpytest("--mailnet-hygiene").assert_outcomes(failed=1)


def test_wrong_words_say_what_is_right(project: pytest.Pytester) -> None:
    project.makepyfile(TEST.format(mark="@pytest.mark.mailnet(hygiene='much')", wanted=True))
    run = project.runpytest()
    run.stdout.fnmatch_lines(["*mailnet(): hygiene= is one of on, retries, off, not 'much'."])
    run = project.runpytest("--mailnet-hygiene=much")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
