"""The marker and the options: what they do, and what they say to mistakes."""

from __future__ import annotations

import pytest

from fakemail.types.seeded_random import seed_from


def test_a_mark_describes_the_world(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.mailnet(timeout=2, seed=1)

        @pytest.mark.mailnet(seed=11, domains=["empty.example"], accounts=["bob@example.org"])
        def test_world(mailnet):
            assert (mailnet.timeout, mailnet.seed) == (2, 11)
            assert mailnet.mx("empty.example").port
            assert mailnet.mx("example.org").port

        def test_module(async_mailnet):
            assert (async_mailnet.timeout, async_mailnet.seed) == (2, 1)
        """
    )
    project.runpytest("--mailnet-seed=3", "--mailnet-timeout=4").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("ini", "option", "timeout"),
    [("", "", 5), ("1.5", "", 1.5), ("1.5", "--mailnet-timeout=20", 20)],
)
def test_the_timeout(project: pytest.Pytester, ini: str, option: str, timeout: float) -> None:
    project.makeini(f"[pytest]\nmailnet_timeout = {ini}\nasyncio_default_fixture_loop_scope = function\n")
    project.makepyfile(f"def test_world(mailnet):\n    assert mailnet.timeout == {timeout}\n")
    project.runpytest(*([option] if option else [])).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("tiemout=2", "mailnet() has no option 'tiemout'; did you mean 'timeout'?"),
        ("account='bob@example.org'", "mailnet() has no option 'account'; did you mean 'accounts'?"),
        ("2", "mailnet() takes keywords only, such as timeout=2; got 2."),
        ("timeout=0", "mailnet(): timeout= is a number of seconds above 0, such as 2.5, not 0."),
        ("timeout='soon'", "mailnet(): timeout= is a number of seconds above 0, such as 2.5, not 'soon'."),
        ("seed='x'", "mailnet(): seed= is a whole number, such as 42, not 'x'."),
        (
            "accounts='bob@example.org'",
            "mailnet(): accounts= is a list of texts, not 'bob@example.org'; write accounts=['bob@example.org'].",
        ),
        ("config='world.toml'", "mailnet(): config='world.toml': there is no file *world.toml."),
    ],
)
def test_a_wrong_mark_says_what_is_right(project: pytest.Pytester, arguments: str, text: str) -> None:
    path = project.makepyfile(
        f"""
        import pytest

        @pytest.mark.mailnet({arguments})
        def test_world(mailnet):
            pass

        def test_other(mailnet):
            pass
        """
    )
    run = project.runpytest()
    run.assert_outcomes(errors=1, passed=1)
    wanted = f"{path.name}::test_world: {text}".replace("[", "[[]")
    run.stdout.fnmatch_lines(
        ["*ERROR at setup of test_world*", wanted, "*short test summary info*"], consecutive=True
    )


_CONFIG = """
import pytest

@pytest.mark.mailnet(config="worlds/one.toml")
def test_world(mailnet):
    assert mailnet.account("bob@example.org").password == "s3cret"
    print("seed", mailnet.seed)
"""


def test_a_mark_names_a_file_beside_the_test(project: pytest.Pytester) -> None:
    folder = project.mkdir("suite")
    (folder / "worlds").mkdir()
    (folder / "test_config.py").write_text(_CONFIG, "utf-8")
    file = folder / "worlds" / "one.toml"
    account = '[[accounts]]\naddress = "bob@example.org"\npassword = "s3cret"\n'
    file.write_text(account, "utf-8")
    run = project.runpytest("-rP")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines([f"seed {seed_from('suite/test_config.py::test_world')}"])
    file.write_text(f"seed = 77\n{account}", "utf-8")
    project.runpytest("-rP").stdout.fnmatch_lines(["seed 77"])
    project.runpytest("-rP", "--mailnet-seed=78").stdout.fnmatch_lines(["seed 78"])
    file.write_text("sede = 77\n", "utf-8")
    run = project.runpytest()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(
        ["*ERROR at setup of test_world*", "suite/test_config.py::test_world: mailnet(): *'sede'*seed*"],
        consecutive=True,
    )


def test_an_address_that_is_none_is_told_without_our_code(project: pytest.Pytester) -> None:
    path = project.makepyfile(
        """
        import pytest

        @pytest.mark.mailnet(accounts=["bob"])
        def test_world(mailnet):
            pass
        """
    )
    run = project.runpytest()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(
        ["*ERROR at setup of test_world*", f"{path.name}::test_world: mailnet(): *'bob'*"], consecutive=True
    )


def test_the_factory_checks_as_well(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_world(mailnet_factory):
            mailnet_factory(sed=4)
        """
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            ">       mailnet_factory(sed=4)",
            "E       *UsageError: mailnet_factory() has no option 'sed'; did you mean 'seed'?",
            "test_*.py:2: UsageError",
        ]
    )


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--mailnet-seed=x", "ERROR: --mailnet-seed is a whole number, such as 42, not 'x'."),
        (
            "--mailnet-timeout=-1",
            "ERROR: --mailnet-timeout is a number of seconds above 0, such as 2.5, not '-1'.",
        ),
        (
            "--mailnet-transcript=some",
            "ERROR: --mailnet-transcript is 'failed' or 'all', not 'some'. "
            "Before the path of a test, write --mailnet-transcript=failed.",
        ),
        (
            "--override-ini=mailnet_timeout=nan",
            "ERROR: mailnet_timeout in the ini file is a number of seconds above 0, such as 2.5, not 'nan'.",
        ),
    ],
)
def test_wrong_options_say_what_is_right(project: pytest.Pytester, option: str, text: str) -> None:
    run = project.runpytest(option)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert text in run.stderr.str()
