"""--mailnet-grease and grease= of the marker."""

from __future__ import annotations

import pytest

INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
TEST = """
import pytest, smtplib

{mark}
def test_banner(mailnet):
    assert mailnet.grease == {wanted!r}
    mailnet.account("bob@example.org")
    with mailnet.mx("example.org").smtplib() as client:
        client.noop()
"""


@pytest.mark.parametrize(
    ("option", "mark", "wanted"),
    [
        ("", "", False),
        ("--mailnet-grease", "", True),
        ("--mailnet-grease=retries", "", "retries"),
        ("--mailnet-grease=on", "@pytest.mark.mailnet(grease=False)", False),
        ("", "@pytest.mark.mailnet(grease='retries')", "retries"),
    ],
)
def test_ways_to_say_it(project: pytest.Pytester, option: str, mark: str, wanted: object) -> None:
    project.makepyfile(TEST.format(mark=mark, wanted=wanted))
    project.runpytest(*([option] if option else [])).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "described", "option", "mark", "wanted"),
    [
        ("on", "", "", "", True),
        ("retries", "", "--mailnet-grease=off", "", False),
        ("on", "grease = false", "", "", False),
        ("off", "grease = true", "", "", True),
        ("off", 'grease = "retries"', "--mailnet-grease", "", True),
        ("off", "grease = true", "", "grease=False", False),
        ("on", "seed = 3", "", "", True),
    ],
)
def test_the_nearest_word_wins(
    project: pytest.Pytester, ini: str, described: str, option: str, mark: str, wanted: object
) -> None:
    project.path.joinpath("world.toml").write_text(described)
    project.makeini(f"{INI}mailnet_grease = {ini}\n")
    words = ", ".join(filter(None, ["config='world.toml'", mark]))
    project.makepyfile(TEST.format(mark=f"@pytest.mark.mailnet({words})", wanted=wanted))
    project.runpytest(*([option] if option else [])).assert_outcomes(passed=1)


def test_a_wrong_word_in_the_ini_file_says_what_is_right(project: pytest.Pytester) -> None:
    project.makeini(f"{INI}mailnet_grease = much\n")
    run = project.runpytest()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*mailnet_grease in the ini file is one of on, retries, off, not 'much'."])


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
    project.runpytest("--mailnet-grease").assert_outcomes(failed=1)


def test_wrong_words_say_what_is_right(project: pytest.Pytester) -> None:
    project.makepyfile(TEST.format(mark="@pytest.mark.mailnet(grease='much')", wanted=True))
    run = project.runpytest()
    run.stdout.fnmatch_lines(["*mailnet(): grease= is one of on, retries, off, not 'much'."])
    run = project.runpytest("--mailnet-grease=much")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
