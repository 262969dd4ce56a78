"""What a failing test prints: the failure text, the journeys, the transcript."""

from __future__ import annotations

import re
import textwrap

import pytest

_SHOP = """
    import pytest, shop

    def test_welcome(mailnet):
        bob = mailnet.account("bob@example.org")
        smtp = mailnet.account("hello@shop.test").submission
"""


def _test(*lines: str) -> str:
    return textwrap.dedent(_SHOP) + "".join(f"    {line}\n" for line in lines)


def test_a_wrong_recipient(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            'shop.send(smtp, "bobby@example.org")',
            "mail = bob.inbox.wait_for_one(timeout=0.5)",
            "assert mail",
        )
    )
    run = project.runpytest("--mailnet-seed=42")
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "E       *MailAssertionError: wanted: a message to bob@example.org within 0.5 s",
            "E       found:  nothing in INBOX of bob@example.org",
            "E       last:   the journey to bobby@example.org (none went to bob@example.org)",
            "E                 1  smtp.shop.test   took it from app * 250 2.0.0 queued as *",
            "E                 2  smtp.shop.test   looked up example.org: mx1.example.org",
            "E                 3  mx1.example.org  refused RCPT TO:<bobby@example.org> * 550 5.1.1 *no such user here",
            "E                 4  smtp.shop.test   gave up, and told hello@shop.test by *",
            "E               Fate: bounced after a refusal at smtp.rcpt by mx1.example.org: 550 5.1.1 (no such user)",
            "E       again:  --mailnet-seed=42",
            "",
            "test_a_wrong_recipient.py:7: MailAssertionError",
            "*- fakemail journey -*",
            "1 of 1: hello@shop.test to bobby@example.org, 'Welcome, Bob'",
            "  1  smtp.shop.test   took it from app * 250 2.0.0 queued as *",
            "  2  smtp.shop.test   looked up example.org: mx1.example.org",
            "  3  mx1.example.org  refused RCPT TO:<bobby@example.org> * 550 5.1.1 *no such user here",
            "  4  smtp.shop.test   gave up, and told hello@shop.test by *",
            "Fate: bounced after a refusal at smtp.rcpt by mx1.example.org: 550 5.1.1 (no such user)",
            "",
            "again: --mailnet-seed=42",
            "*short test summary info*",
        ],
        consecutive=True,
    )
    # The traceback is the test's own line and nothing of ours.
    assert re.findall(r"^(\S+\.py):\d+:", run.stdout.str(), re.MULTILINE) == ["test_a_wrong_recipient.py"]
    assert re.findall(r"^>.*", run.stdout.str(), re.MULTILINE) == [
        ">       mail = bob.inbox.wait_for_one(timeout=0.5)"
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('mailnet.account("bob")', "DeclarationError: 'bob' is not an address: *"),
        (
            'mailnet.mx("exmaple.org")',
            "UnknownNameError: no domain 'exmaple.org' is declared; *'example.org'*",
        ),
        ('mailnet.domain("shop.test").alias("a..b", bob)', "DeclarationError: *a..b*"),
        ('mailnet.journey(to="bobby@example.org")', "MailAssertionError: expected one of *"),
        ("mailnet.close(); bob.inbox.one()", "ClosedError: *"),
    ],
)
def test_the_traceback_of_a_mistake_is_the_line_of_the_test(
    project: pytest.Pytester, line: str, text: str
) -> None:
    path = project.makepyfile(_test("assert bob", line))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines([f">       {line}", f"E       fakemail.errors.{text}"])
    assert re.findall(r"^(\S+\.py):\d+:", run.stdout.str(), re.MULTILINE) == [path.name]
    if "journey" not in line:
        project.runpytest("--full-trace").stdout.fnmatch_lines(["*fakemail*api*.py:*"])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("mail.link('Confirm')", "fakemail.errors.MailAssertionError: no link of <Message 'Hi' *"),
        ("mail.code()", "fakemail.errors.MailAssertionError: no code was found in <Message 'Hi' *"),
        ("Reply(452, '5.1.1')", "ValueError: enhanced status code 5.1.1 does not go with reply code 452"),
        ("Reply(99)", "ValueError: a reply code has three digits *"),
        (
            "mailnet.clock.advance('2h')",
            "TypeError: a clock is moved by a duration such as hours(2) or minutes(5), not by '2h'.",
        ),
        ("mailnet.clock.advance(3600)", "TypeError: a clock is moved by *, not by 3600."),
        (
            "mailnet.clock.advance(hours(-2))",
            "ValueError: time does not run back, *moved by -2:00:00 (h:mm:ss).",
        ),
        (
            "mailnet.clock.advance(days(10**8))",
            "ValueError: the calendar ends with the year 9999, and 100000000 *",
        ),
        (
            "bob.inbox.wait_for_one(matching='Hi')",
            "TypeError: matching= takes a matcher such as HasSubject('Welcome') *, not 'Hi'; *",
        ),
        ("bob.inbox[1]", "fakemail.errors.MailAssertionError: wanted: 2 messages to bob@example.org"),
        ("bob.inbox[-2]", "fakemail.errors.MailAssertionError: wanted: 2 messages to bob@example.org"),
        ("bob.folder('Sent')[0]", "fakemail.errors.MailAssertionError: wanted: a message to bob@example.org"),
        (
            "mailnet.accounts(['a@b.test'])",
            "fakemail.errors.DeclarationError: pass addresses one by one, as in accounts(*names), *as ['a@b.test'].",
        ),
        ("mailnet.account(5)", "fakemail.errors.DeclarationError: 5 is not an address: *"),
    ],
)
def test_a_mistake_shows_nothing_of_our_own_code(project: pytest.Pytester, line: str, text: str) -> None:
    imports = "from fakemail import Reply, days, hours"
    path = project.makepyfile(
        _test(imports, "mail = bob.inbox.put('Subject: Hi\\n\\nHello\\n')", "assert smtp", line)
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines([f">       {line}".replace("[", "[[]"), "E       " + text.replace("[", "[[]")])
    assert re.findall(r"^(\S+):\d+:", run.stdout.str(), re.MULTILINE) == [path.name]


def test_a_defect_of_ours_is_shown_with_our_code(project: pytest.Pytester) -> None:
    project.makepyfile(_test("bob._portal = None", "bob.inbox.one()"))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(["E       AttributeError: *", "*inboxes.py:*: AttributeError"])


def test_a_wrong_subject(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            'shop.send(smtp, bob.address, subject="Welcome, {name}")',
            'bob.inbox.wait_for_one(subject="Welcome, Bob", timeout=0.5)',
        )
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "E *wanted: a message to bob@example.org with HasSubject('Welcome, Bob') within 0.5 s",
            "E       found:  1 message in INBOX of bob@example.org",
            "E *<Message 'Welcome, {name}' from hello@shop.test *: subject is 'Welcome, {name}', not 'Welcome, Bob'",
            "E       last:   the journey to bob@example.org",
            "E               Fate: delivered to bob@example.org, INBOX",
        ]
    )


def test_nothing_sent(project: pytest.Pytester) -> None:
    project.makepyfile(_test("bob.inbox.wait_for_one(timeout=0.05)"))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "E *wanted: a message to bob@example.org within 0.05 s",
            "E       found:  nothing in INBOX of bob@example.org",
            "E       last:   no client has sent any mail in this test so far",
            "*- fakemail journey -*",
            "Nobody connected to this fake internet. Does the code under test use its settings*",
            "again: --mailnet-seed=*",
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        'mailnet.host("mx9.example.org", services=["smpt"])',
        'mailnet.find_host("mx1.example.org").configure(hide="STARTTSL")',
        'mailnet.clock.advance("2h")',
        'bob.inbox.wait_for_one(matching="Hi")',
    ],
)
def test_a_mistake_is_not_blamed_on_the_app(project: pytest.Pytester, line: str) -> None:
    project.makepyfile(_test("assert bob", line))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.no_fnmatch_line("*Nobody connected*")


@pytest.mark.parametrize("line", ["assert 1 == 2", "shop.sent()"])
def test_an_error_of_the_test_is_told_that_nobody_connected(project: pytest.Pytester, line: str) -> None:
    project.makepyfile(
        test_mail=_test("bob.inbox.put('Subject: Hi\\n\\nHello\\n')", line),
        test_empty=f"import shop\n\ndef test_it(mailnet):\n    {line}\n",
    )
    run = project.runpytest()
    run.assert_outcomes(failed=2)
    assert run.stdout.str().count("Nobody connected to this fake internet. Does") == 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("stop()", "smtp.shop.test is switched off."),
        ("faults.refuse_connections()", "smtp.shop.test refuses connections, by a fault of the test."),
    ],
)
def test_a_host_that_lets_nobody_in_is_named(project: pytest.Pytester, line: str, text: str) -> None:
    project.makepyfile(_test(f"smtp.server.{line}", "shop.send(smtp, bob.address)"))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(["Nobody connected to this fake internet.", text], consecutive=True)


def test_a_refused_login_is_not_pushed_out_by_keywords(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            "import smtplib",
            "client = smtplib.SMTP(smtp.host, smtp.port, timeout=10)",
            "client.starttls(context=smtp.ssl_context)",
            "with client: client.login(smtp.username, 'wrong')",
        )
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "  smtp.shop.test  #1  S: 250 smtp.shop.test greets * (* keywords)",
            "  smtp.shop.test  #1  C: AUTH *",
            "  smtp.shop.test  #1  S: 535 *",
        ]
    )
    run.stdout.no_fnmatch_line("*S: 250-*")


def test_a_client_that_does_not_get_far(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            "import smtplib, ssl",
            "client = smtplib.SMTP(smtp.host, smtp.port, timeout=10)",
            "client.starttls(context=ssl.create_default_context())",
        )
    )
    run = project.runpytest(
        "-W", "ignore::ResourceWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"
    )
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "*- fakemail journey -*",
            "No message got as far as a recipient. What happened last:",
            "  smtp.shop.test  #1  S: 250 smtp.shop.test greets * (* keywords)",
            "  smtp.shop.test  #1  C: STARTTLS",
            "  smtp.shop.test  #1  S: 220 2.0.0 ready to start TLS",
            "  smtp.shop.test  #1  -- TLS handshake refused by the client with alert unknown_ca*",
            "What was refused:",
            "  smtp.shop.test, submission, connection 1: TLS handshake refused by the client (unknown_ca)",
            "    do: trust mailnet.ca_file *",
        ]
    )


def test_only_the_last_journeys_are_told(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            "for number in range(7):",
            '    shop.send(smtp, bob.address, subject=f"News {number}")',
            "bob.inbox.wait_for_count(7)",
            "assert False",
        )
    )
    run = project.runpytest()
    run.stdout.fnmatch_lines(
        [
            "*- fakemail journey -*",
            "(2 earlier journeys are not shown; mailnet.journeys() has them all.)",
            "3 of 7: hello@shop.test to bob@example.org, 'News 2'",
            "7 of 7: hello@shop.test to bob@example.org, 'News 6'",
        ]
    )
    run.stdout.no_fnmatch_line("*'News 1'")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("mail", "<Message 'Welcome, Bob' from hello@shop.test to bob@example.org, * octets>"),
        ("journey", "<Journey to bob@example.org: delivered to bob@example.org, INBOX>"),
        ("journey.fate", "Delivered(to=*)"),
        ("Reply(550, '5.1.1')", "Reply(code=550, enhanced='5.1.1', *)"),
        ("mailnet", "<MailNet with * events, seed *>"),
        ("bob", "<Account bob@example.org>"),
        ("bob.inbox", "<INBOX of bob@example.org: 1 messages>"),
    ],
)
def test_values_are_readable_in_a_failing_assert(project: pytest.Pytester, value: str, shown: str) -> None:
    project.makepyfile(
        _test(
            "from fakemail import Reply",
            "shop.send(smtp, bob.address)",
            "mail = bob.inbox.wait_for_one()",
            "mailnet.settle()",
            "journey = mailnet.journey(to=bob)",
            f"assert {value} == 0",
        )
    )
    run = project.runpytest()
    run.stdout.fnmatch_lines([f"E *assert {shown} == 0"])


def test_no_section_where_none_is_due(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test("shop.send(smtp, bob.address)", "bob.inbox.wait_for_one()")
        + "\ndef test_other():\n    assert False\n\n"
        + "@pytest.mark.xfail\ndef test_known(mailnet):\n    assert False\n"
    )
    run = project.runpytest("-rA")
    run.assert_outcomes(passed=1, failed=1, xfailed=1)
    run.stdout.no_fnmatch_line("*fakemail*again*")
    run.stdout.no_fnmatch_line("*fakemail journey*")
    run.stdout.no_fnmatch_line("*fakemail transcript*")


@pytest.mark.parametrize(("wanted", "told"), [("", 1), ("=failed", 1), ("=all", 2)])
def test_the_transcript_on_request(project: pytest.Pytester, wanted: str, told: int) -> None:
    project.makepyfile(
        test_bad=_test("shop.send(smtp, bob.address)", "bob.inbox.wait_for_one()", "assert False"),
        test_good=_test("shop.send(smtp, bob.address)", "bob.inbox.wait_for_one()"),
    )
    run = project.runpytest(f"--mailnet-transcript{wanted}")
    run.assert_outcomes(failed=1, passed=1)
    run.stdout.fnmatch_lines(
        [
            "*- fakemail journey -*",
            "*- fakemail transcript -*",
            "*C: AUTH *",
            "*C: mail [Ff][Rr][Oo][Mm]:<hello@shop.test>*",
        ]
    )
    assert run.stdout.str().lower().count("c: mail from") == 2 * told  # the app's, and the relay's
    if told > 1:
        run.stdout.fnmatch_lines(
            ["*= fakemail transcripts of passed tests =*", "*- test_good.py::test_welcome -*"]
        )


def test_failures_of_setup_and_teardown(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest, shop

        @pytest.fixture
        def early(mailnet):
            mailnet.account("bob@example.org")
            shop.send(mailnet.mx("example.org"), "bob@example.org", subject="early")
            raise ValueError

        @pytest.fixture
        def late(mailnet):
            yield
            mailnet.account("bob@example.org")
            shop.send(mailnet.mx("example.org"), "bob@example.org", subject="late")
            mailnet.close()
            raise ValueError

        def test_setup(early):
            pass

        def test_teardown(late):
            pass
        """
    )
    run = project.runpytest()
    run.assert_outcomes(errors=2, passed=1)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_setup*",
            "*- fakemail journey -*",
            "1 of 1: hello@shop.test to bob@example.org, 'early'",
            "*ERROR at teardown of test_teardown*",
            "*- fakemail journey -*",
            "1 of 1: hello@shop.test to bob@example.org, 'late'",
        ]
    )


def test_mail_that_waits_is_told_with_the_way_on(project: pytest.Pytester) -> None:
    project.makepyfile(
        _test(
            "from fakemail import minutes",
            "mailnet.domain('example.org').policy(greylist=minutes(5))",
            "shop.send(smtp, bob.address)",
            "mailnet.settle()",
            "bob.inbox.wait_for_one(timeout=0.1)",
        )
    )
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    way = "next try at *, and the clock stands at *: mailnet.clock.advance(minutes(5)) gets there"
    run.stdout.fnmatch_lines([f"E * {way}", "*- fakemail journey -*", "Fate: waiting *", f"      {way}"])


def test_a_shared_world_tells_of_the_present_test_only(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest, shop

        @pytest.fixture(scope="module")
        def world(mailnet_factory):
            return mailnet_factory(accounts=["bob@example.org"])

        def test_one(world):
            shop.send(world.mx("example.org"), "bob@example.org", subject="one")

        def test_two(world):
            shop.send(world.mx("example.org"), "bob@example.org", subject="two")
            assert False

        def test_three():
            assert False
        """
    )
    run = project.runpytest()
    run.assert_outcomes(passed=1, failed=2)
    assert run.stdout.str().count("fakemail journey") == 1
    run.stdout.fnmatch_lines(["1 of 1: hello@shop.test to bob@example.org, 'two'"])


_BROKEN = """
    import smtplib
    import pytest, shop

    class Broken:
        async def handle_DATA(self, server, session, envelope):
            raise ZeroDivisionError("no such luck")

    @pytest.fixture(scope="session")
    def world(mailnet_factory):
        return mailnet_factory()

    def test_cause({world}):
        {world}.account("bob@example.org")
        smtp = {world}.mx("example.org")
        smtp.server.attach_handler(Broken())
        with pytest.raises(smtplib.SMTPException):
            shop.send(smtp, "bob@example.org")

    def test_innocent({world}):
        pass
"""


@pytest.mark.parametrize("world", ["mailnet", "async_mailnet", "world"])
def test_an_error_of_a_server_fails_the_test_that_caused_it(project: pytest.Pytester, world: str) -> None:
    project.makepyfile(textwrap.dedent(_BROKEN).format(world=world))
    run = project.runpytest()
    run.assert_outcomes(passed=2, errors=1)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_cause*",
            ">*raise ZeroDivisionError(*",
            "E *ZeroDivisionError: no such luck",
            "E *ServerError: a server of the fake internet failed in smtp of mx1.example.org, connection 1: "
            "ZeroDivisionError: no such luck",
            "*- fakemail journey -*",
            "Fate: refused at smtp.end by mx1.example.org: 451 4.3.0 (local error)",
        ]
    )


def test_a_defect_of_the_report_does_not_hide_the_failure(project: pytest.Pytester) -> None:
    project.makepyfile(_test("mailnet._portal.simulation.log._events.append(None)", "assert 1 == 2"))
    run = project.runpytest()
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "E       assert 1 == 2",
            "*- fakemail journey -*",
            "This could not be told, by a defect of fakemail: *Error: *",
        ]
    )


def test_sections_come_back_from_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_one=_test('shop.send(smtp, "bobby@example.org")', "mailnet.settle()", "bob.inbox.one()"),
        test_two=_test("shop.send(smtp, bob.address)", "bob.inbox.wait_for_one()"),
    )
    run = project.runpytest_subprocess("-n1", "--mailnet-transcript=all", "--mailnet-seed=9")
    run.assert_outcomes(failed=1, passed=1)
    run.stdout.fnmatch_lines(
        [
            "*- fakemail journey -*",
            "1 of 1: hello@shop.test to bobby@example.org, 'Welcome, Bob'",
            "again: --mailnet-seed=9",
            "*- fakemail transcript -*",
            "*= fakemail transcripts of passed tests =*",
            "*- test_two.py::test_welcome -*",
        ]
    )
