"""--mailnet-strict: a test fails for what its app did on the wire, although everything arrived."""

from __future__ import annotations

import pytest

CARELESS = """
import pytest
import smtplib

def send(smtp, text="From: a@shop.test\\r\\nTo: b@example.org\\r\\nMessage-ID: <1@shop.test>\\r\\n\\r\\nHello\\r\\n"):
    with smtplib.SMTP(smtp.host, smtp.port, local_hostname="app.shop.test") as client:
        client.starttls(context=smtp.ssl_context)
        client.sendmail("a@shop.test", ["bob@example.org"], text)
"""
ONE = """
def test_careless(mailnet):
    bob = mailnet.account("bob@example.org")
    send(mailnet.mx("example.org"))
    bob.inbox.one()
"""


def test_nothing_is_looked_for_by_default(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS + ONE)
    project.runpytest().assert_outcomes(passed=1)


def test_what_where_why_and_how(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS + ONE)
    run = project.runpytest("--mailnet-strict")
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_careless*",
            "a stricter server would mind this:",
            "no_date (error): the app sent a message without Date",
            "  where: connection 1 to mx1.example.org (smtp), message to bob@example.org",
            "  why:   it is required; filters count its absence for spam (RFC 5322 §3.6)",
            "  fix:   message['Date'] = email.utils.localtime()",
            'To let it pass: @pytest.mark.mailnet(allow=[[]"no_date"[]])',
        ]
    )


@pytest.mark.parametrize(
    ("ini", "option", "mark", "errors"),
    [
        ("mailnet_strict = hint", (), "", 1),
        ("mailnet_strict = hint", ("--mailnet-strict=off",), "", 0),
        ("mailnet_strict = hint\nmailnet_allow = no_date no_quit", (), "", 0),
        ("", ("--mailnet-strict=error",), "", 1),
        ("", ("--mailnet-strict",), "@pytest.mark.mailnet(allow=['no_date'])", 0),
        ("", ("--mailnet-strict",), "@pytest.mark.mailnet(strict=False)", 0),
        ("", (), "@pytest.mark.mailnet(strict=True)", 1),
        ("", (), "@pytest.mark.mailnet(strict='warning')", 1),
    ],
)
def test_ways_to_say_it(
    project: pytest.Pytester, ini: str, option: tuple[str, ...], mark: str, errors: int
) -> None:
    project.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}\n")
    project.makepyfile(f"{CARELESS}\n{mark}{ONE}")
    project.runpytest(*option).assert_outcomes(passed=1, errors=errors)


def test_mild_findings_do_not_fail_where_only_errors_do(project: pytest.Pytester) -> None:
    text = "Date: Tue, 24 Nov 2026 09:00:00 +0000\\r\\nFrom: a@shop.test\\r\\n\\r\\nHello\\r\\n"
    project.makepyfile(CARELESS + ONE.replace('mx("example.org")', f'mx("example.org"), "{text}"'))
    project.runpytest("--mailnet-strict=error").assert_outcomes(passed=1)
    project.runpytest("--mailnet-strict=warning").assert_outcomes(passed=1, errors=1)


def test_a_failed_test_is_not_told_of_it(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS + ONE + "    assert False\n")
    run = project.runpytest("--mailnet-strict")
    run.assert_outcomes(failed=1)
    run.stdout.no_fnmatch_line("*stricter server*")


def test_a_client_that_has_just_hung_up_is_seen(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import smtplib

        def test_careless(mailnet):
            mailnet.domain("example.org")
            mx = mailnet.mx("example.org")
            client = smtplib.SMTP(mx.host, mx.port, local_hostname="app.shop.test")
            client.ehlo()
            client.close()
        """
    )
    run = project.runpytest("--mailnet-strict")
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(["no_quit (warning): the app closed the connection without QUIT"])


def test_a_shared_world_blames_the_test_that_did_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        CARELESS
        + """
@pytest.fixture(scope="module")
def net(mailnet_factory):
    with mailnet_factory(accounts=["bob@example.org"], allow=["no_message_id"]) as net:
        yield net

def test_careless(net):
    send(net.mx("example.org"), "From: a@shop.test\\r\\nTo: b@example.org\\r\\n\\r\\nHello\\r\\n")

def test_idle(net):
    assert len(net.account("bob@example.org").inbox) == 1
"""
    )
    run = project.runpytest("--mailnet-strict")
    run.assert_outcomes(passed=2, errors=1)
    run.stdout.fnmatch_lines(["*ERROR at teardown of test_careless*", "no_date (error)*"])
    run.stdout.no_fnmatch_line("no_message_id*")


def test_the_async_fixture_as_well(project: pytest.Pytester) -> None:
    project.makepyfile(
        CARELESS + ONE.replace("mailnet", "async_mailnet").replace("    bob.inbox.one()\n", "")
    )
    project.runpytest("--mailnet-strict").assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize(
    ("ini", "option", "text"),
    [
        (
            "",
            "--mailnet-strict=errors",
            "--mailnet-strict is one of hint, warning, error, off, not 'errors'.*",
        ),
        (
            "mailnet_strict = yes",
            "",
            "*mailnet_strict in the ini file is one of hint, warning, error, off, not 'yes'.",
        ),
        (
            "mailnet_allow = no_dates",
            "",
            "*mailnet_allow in the ini file: there is no lint rule 'no_dates'; did you*",
        ),
    ],
)
def test_wrong_options_say_what_is_right(project: pytest.Pytester, ini: str, option: str, text: str) -> None:
    project.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}\n")
    project.makepyfile("def test_nothing(): pass")
    run = project.runpytest(*([option] if option else []))
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([f"*{text}"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("allow=['no_dat']", "mailnet(): allow=: there is no lint rule 'no_dat'; did you mean 'no_date'*"),
        ("allow='no_date'", "mailnet(): allow= is a list of texts, not 'no_date'; write allow=['no_date']."),
        ("strict='very'", "mailnet(): strict= is one of hint, warning, error, off, not 'very'."),
    ],
)
def test_a_wrong_mark_says_what_is_right(project: pytest.Pytester, arguments: str, text: str) -> None:
    project.makepyfile(f"import pytest\n\n@pytest.mark.mailnet({arguments})\ndef test_world(mailnet): pass\n")
    run = project.runpytest()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines([f"*{text}".replace("[", "[[]")])


@pytest.mark.parametrize(("name", "errors"), [("localhost", 0), ("app.example.org", 1)])
def test_the_name_of_the_machine_fails_no_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, errors: int
) -> None:
    """Django greets with the name of the machine as it is."""
    monkeypatch.setattr("socket.getfqdn", lambda *_: name)
    monkeypatch.setattr("socket.gethostname", lambda: name)
    project.makepyfile(
        """
        from django.conf import settings
        from django.core import mail
        from django.core.mail.utils import DNS_NAME

        if not settings.configured:
            settings.configure(USE_I18N=False)

        def test_django(mailnet, monkeypatch):
            monkeypatch.setattr(DNS_NAME, "_fqdn", "localhost", raising=False)
            shop = mailnet.account("hello@shop.test")
            mailnet.account("bob@example.org")
            monkeypatch.setenv("SSL_CERT_FILE", shop.submission.ca_file)
            for key, value in shop.submission.django_settings().items():
                monkeypatch.setattr(settings, key, value, raising=False)
            mail.send_mail("Hi", "Text", shop.address, ["bob@example.org"])
        """
    )
    project.runpytest("--mailnet-strict").assert_outcomes(passed=1, errors=errors)
