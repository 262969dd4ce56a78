"""Faults that never fire: they fail a test that passes, and are told in the report of one that fails."""

from __future__ import annotations

import textwrap

import pytest

_HEAD = """
    import pytest, shop
    from fakemail import DeclarationError, Reply, Stage, faults
"""


def _test(*lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return textwrap.dedent(_HEAD) + f"\n\ndef test_it(mailnet):\n{body}"


SEND = (
    'bob = mailnet.account("bob@example.org")',
    'mx = mailnet.mx("example.org")',
    'shop.send(mx, "bob@example.org")',
)


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (
            'mailnet.mx("example.org").faults.mailbox_full("ann@example.org")',
            [
                "a fault never fired:",
                "  smtp.rcpt, recipient ann@example.org: 452 4.2.2 the mailbox is full, at mx1.example.org",
                "    smtp.rcpt was reached once, but never so; the closest: recipient was bob@example.org",
                "The test passed without what it was to be about. If that is as it should be, say must_fire=False *",
            ],
        ),
        (
            'mailnet.domain("example.org").faults.drop(Stage.SMTP_VRFY)',
            [
                "a fault never fired:",
                "  smtp.vrfy: drop, at the hosts of example.org",
                "    smtp.vrfy was never reached while it was in force",
            ],
        ),
        (
            "mailnet.faults.drop(Stage.SMTP_RCPT, skip=1)",
            [
                "a fault never fired:",
                "  smtp.rcpt, not the first 1: drop, at every host",
                "    smtp.rcpt was reached once, and everything fitted once: not yet its turn",
            ],
        ),
    ],
)
def test_a_test_that_passes_without_its_fault_fails(project: pytest.Pytester, declare: str, text: list[str]):
    project.makepyfile(_test('mailnet.domain("example.org")', declare, *SEND))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(text, consecutive=True)


def test_it_need_not_fire_if_the_test_says_so(project: pytest.Pytester):
    project.makepyfile(_test("mailnet.faults.drop(Stage.SMTP_VRFY, must_fire=False)", *SEND))
    project.runpytest().assert_outcomes(passed=1)


def test_the_refusal_of_connections_cannot_be_counted(project: pytest.Pytester):
    project.makepyfile(
        _test(
            'mailnet.domain("example.net").hosts[0].faults.refuse_connections()',
            *SEND,
            'with pytest.raises(DeclarationError, match="nobody can count how often refuse_connections"):',
            "    mailnet.faults.refuse_connections(must_fire=True)",
        )
    )
    project.runpytest().assert_outcomes(passed=1)


def test_a_lifted_fault_has_missed_its_chance(project: pytest.Pytester):
    project.makepyfile(_test("with mailnet.faults.drop(Stage.SMTP_RCPT):", "    pass", *SEND))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(["    smtp.rcpt was never reached while it was in force"])


def test_what_a_fixture_declares_need_not_fire(project: pytest.Pytester):
    project.makepyfile(
        textwrap.dedent(_HEAD)
        + textwrap.dedent(
            """
            @pytest.fixture
            def shaky(mailnet):
                mailnet.faults.drop(Stage.SMTP_VRFY)
                return mailnet

            def test_it(shaky):
                pass
            """
        )
    )
    project.runpytest().assert_outcomes(passed=1)


def test_a_failing_test_tells_what_never_fired(project: pytest.Pytester):
    project.makepyfile(
        _test('mailnet.faults.drop(Stage.SMTP_RCPT, to="@example.net")', *SEND, "assert bob.inbox.is_empty")
    )
    run = project.runpytest("--mailnet-seed=42")
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "faults that never fired:",
            "  smtp.rcpt, recipient @example.net: drop, at every host",
            "    smtp.rcpt was reached once, but never so; the closest: recipient was bob@example.org",
            "",
            "again: --mailnet-seed=42",
        ],
        consecutive=True,
    )


def test_each_test_has_its_own_faults_in_a_shared_world(project: pytest.Pytester):
    project.makepyfile(
        textwrap.dedent(_HEAD)
        + textwrap.dedent(
            """
            @pytest.fixture(scope="module")
            def net(mailnet_factory):
                return mailnet_factory(accounts=["bob@example.org"])

            def test_first(net):
                net.faults.drop(Stage.SMTP_VRFY)

            def test_second(net):
                pass
            """
        )
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1, passed=1)


def test_the_seed_replays_probability(project: pytest.Pytester):
    project.makepyfile(
        _test(
            'mailnet.account("bob@example.org")',
            'mx = mailnet.mx("example.org")',
            "fault = mx.faults.reply(Stage.SMTP_RCPT, Reply(451), probability=0.5)",
            "for _ in range(12):",
            "    try:",
            '        shop.send(mx, "bob@example.org")',
            "    except Exception:",
            '        print("no", end=" ")',
            "    else:",
            '        print("yes", end=" ")',
            "assert False",
        )
    )

    def play(*options: str) -> list[str]:
        lines = project.runpytest(*options).stdout.lines
        return [line for line in lines if line.startswith(("yes ", "no "))]

    assert play("--mailnet-seed=1") == play("--mailnet-seed=1")
    assert len({str(play(f"--mailnet-seed={seed}")) for seed in range(4)}) > 1


def test_faults_of_the_mark(project: pytest.Pytester):
    project.makepyfile(
        textwrap.dedent(_HEAD)
        + textwrap.dedent(
            """
            @pytest.mark.mailnet(
                accounts=["bob@example.org"],
                faults=[
                    {"host": "mx1.example.org", "stage": Stage.SMTP_RCPT, "do": faults.reply(450), "times": 1},
                    {"stage": "smtp.vrfy", "do": "drop"},
                ],
            )
            def test_it(mailnet):
                with pytest.raises(Exception, match="450"):
                    shop.send(mailnet.mx("example.org"), "bob@example.org")
                assert len(mailnet.faults.all()) == 1

            @pytest.mark.mailnet(faults=[{"stage": "smtp.vrfy", "do": "drop", "must_fire": True}])
            def test_never(mailnet):
                pass

            @pytest.mark.mailnet(faults=["drop"])
            def test_no_table(mailnet):
                pass

            @pytest.mark.mailnet(faults=[{"stage": "smtp.vrfi", "do": "drop"}])
            def test_no_stage(mailnet):
                pass
            """
        )
    )
    run = project.runpytest()
    run.assert_outcomes(passed=1, failed=1, errors=2)
    run.stdout.fnmatch_lines(["*a fault never fired:*"])
    run.stdout.fnmatch_lines(["*faults= is a list of tables such as *, not [[]'drop'[]]."])
    run.stdout.fnmatch_lines(["*there is no stage 'smtp.vrfi'; did you mean 'smtp.vrfy'*"])


def test_a_world_that_the_test_makes_itself(project):
    project.makepyfile(
        textwrap.dedent(
            """
            from fakemail import Stage

            def test_left_open(mailnet_factory):
                net = mailnet_factory(faults=[{"stage": "smtp.vrfy", "do": "drop"}])
                net.faults.drop(Stage.SMTP_NOOP)

            def test_closed(mailnet_factory):
                with mailnet_factory() as net:
                    net.faults.drop(Stage.SMTP_NOOP)

            def test_others_are_not_blamed(mailnet_factory):
                pass
            """
        )
    )
    run = project.runpytest()
    run.assert_outcomes(passed=1, failed=2)
    run.stdout.fnmatch_lines(["*a fault never fired:*", "*smtp.noop: drop*"])


def test_a_fault_of_two_parts_has_fired_when_one_has(project):
    project.makepyfile(
        textwrap.dedent(
            """
            import imaplib

            import pytest

            def test_a_login(mailnet):
                bob = mailnet.account("bob@example.org")
                bob.imap.faults.reject_login()
                with pytest.raises(imaplib.IMAP4.error):
                    bob.imaps.imaplib()

            def test_no_login(mailnet):
                mailnet.account("bob@example.org").imap.faults.reject_login()
            """
        )
    )
    run = project.runpytest()
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines(["*imap.login: refuse*", "*imap.login was never reached*"])
