"""What a test declares in error is refused where it is declared, and says what is right."""

from __future__ import annotations

import pytest

from fakemail import MailNet, Reason, faults, minutes
from fakemail.errors import DeclarationError
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

NO = Reply(550, "5.7.1", "no")


@pytest.mark.parametrize(
    "stage",
    [
        Stage.CONNECT,
        Stage.TLS_HANDSHAKE,
        Stage.DNS_QUERY,
        Stage.HTTP_REQUEST,
        Stage.IMAP_LOGIN,
        Stage.POP3_PASS,
        Stage.QUEUE,
        Stage.DELIVER,
        "smtp.rcpt",
    ],
)
def test_a_fault_at_a_stage_where_it_is_not_possible(mailnet, stage):
    declared = mailnet.domain("example.org").hosts[0].faults
    with pytest.raises(DeclarationError, match=r"smtp.rcpt|smtp.end|DNS|other|host|over"):
        declared.reply(stage, NO)
    assert declared.all() == []


def test_an_action_that_is_not_possible_at_a_stage(mailnet):
    declared = mailnet.domain("example.org").hosts[0].faults
    with pytest.raises(DeclarationError) as caught:
        declared.add(Stage.SMTP_QUIT, faults.deliver_twice())
    text = (
        "mx1.example.org: 'deliver_twice' is not possible at smtp.quit. Possible there: close, delay, drop, "
    )
    assert str(caught.value).startswith(text)
    assert str(caught.value).endswith("It is possible at smtp.end.")
    with pytest.raises(DeclarationError, match="not 'drop'"):
        declared.add(Stage.SMTP_QUIT, "drop")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: faults.delay(5), "a time such as seconds"),
        (lambda: faults.delay(-minutes(1)), "from 0 up"),
        (lambda: faults.throttle(0), "rate of a fault is a whole number from 1 on"),
        (lambda: faults.oversized_line("x"), "octets of a fault"),
        (lambda: faults.truncate(-1), "keep of a fault"),
        (lambda: faults.partial_reply("burn"), "a connection cannot end by 'burn'"),
    ],
)
def test_an_action_that_makes_no_sense(make, text):
    with pytest.raises(DeclarationError, match=text):
        make()


@pytest.mark.parametrize(
    ("stage", "condition", "known_at"),
    [
        (Stage.SMTP_QUIT, {"to": "bob@example.org"}, "smtp.rcpt, smtp.data"),
        (Stage.SMTP_HELO, {"sender": "bob@example.org"}, "smtp.mail, smtp.rcpt"),
        (Stage.SMTP_BANNER, {"login": "bob@example.org"}, "smtp.mail"),
        (Stage.SMTP_RCPT, {"subject": "News"}, "smtp.end"),
        (Stage.SMTP_END, {"after": 10}, "smtp.body"),
    ],
)
def test_a_condition_that_can_never_be_met_at_a_stage(mailnet, stage, condition, known_at):
    declared = mailnet.domain("example.org").hosts[0].faults
    [name] = condition
    with pytest.raises(DeclarationError, match=rf"{name}= cannot fit at {stage}, .* it can at .*{known_at}"):
        declared.drop(stage, **condition)


@pytest.mark.parametrize(
    "options",
    [
        {"times": 0},
        {"skip": -1},
        {"times": "2"},
        {"to": "bob"},
        {"sender": "example.org"},
        {"to": "@"},
        {"nth": 0},
        {"nth": 2, "skip": 1},
        {"every": 0},
        {"probability": 0},
        {"probability": 1.5},
        {"once_per": "day"},
        {"until": "tomorrow"},
        {"argument": ""},
        {"connection": 0},
    ],
)
def test_a_fault_that_could_never_fire(mailnet, options):
    declared = mailnet.domain("example.org").hosts[0].faults
    with pytest.raises(DeclarationError, match=next(iter(options))):
        declared.reply(Stage.SMTP_RCPT, NO, **options)


@pytest.mark.parametrize("pattern", ["bob@example.org", "@example.org", "<>", "*@example.*"])
def test_whom_a_fault_may_be_about(mailnet, pattern):
    declared = mailnet.domain("example.org").hosts[0].faults
    declared.reply(Stage.SMTP_RCPT, NO, to=pattern, sender=pattern, must_fire=False)
    assert len(declared.all()) == 1


@pytest.mark.parametrize(
    ("where", "port", "words"),
    [
        ("localhost", 25, "IP address"),
        ("", 25, "IP address"),
        ("127.0.0.1", 0, "65535"),
        ("127.0.0.1", 65536, "65535"),
        ("127.0.0.1", "25", "65535"),
    ],
)
def test_a_server_that_cannot_be_attached(mailnet, where, port, words):
    with pytest.raises(DeclarationError, match=words):
        mailnet.add_external_host("mx.real.test", where, port)


def test_the_answers_of_a_real_server_are_its_own(mailnet):
    host = mailnet.add_external_host("mx.real.test", "127.0.0.1", 2525)
    with pytest.raises(DeclarationError, match="attached"):
        host.faults.reply(Stage.SMTP_RCPT, NO)
    with pytest.raises(DeclarationError, match="attached"):
        host.faults.drop(Stage.SMTP_RCPT)


def test_a_real_server_that_is_stopped_is_not_reached(mailnet):
    with MailNet() as other:
        bob = other.account("bob@real.test")
        real = other.mx("real.test")
        host = mailnet.add_external_host("mx.real.test", real.host, real.port)
        mailnet.domain("real.test", mx=["mx.real.test"])
        shop = mailnet.account("shop@shop.test")

        def send() -> None:
            with shop.submission.smtplib() as client:
                client.sendmail(shop.address, [bob.address], "Subject: Hello\r\n\r\nHello\r\n")
            mailnet.settle()

        host.stop()
        send()
        assert mailnet.queue.one().reason is Reason.CONNECTION_REFUSED
        host.start()
        with host.faults.refuse_connections():
            mailnet.queue.flush()
            mailnet.settle()
            assert mailnet.queue.one().reason is Reason.CONNECTION_REFUSED
            assert len(bob.inbox) == 0
        mailnet.queue.flush()
        mailnet.settle()
        assert bob.inbox.wait_for_one().subject == "Hello"
        assert mailnet.queue.is_empty


@pytest.mark.parametrize("max_age", [-1, 31557601, 1.5, "60", True])
def test_the_age_of_an_mta_sts_policy(mailnet, max_age):  # RFC 8461 §3.2
    with pytest.raises(DeclarationError, match="max_age"):
        mailnet.domain("example.org").mta_sts(max_age=max_age)


@pytest.mark.parametrize("mx", [[], "", [""]])
def test_an_mta_sts_policy_names_a_host(mailnet, mx):
    with pytest.raises(DeclarationError, match="one mail host at least"):
        mailnet.domain("example.org").mta_sts(mx=mx)


def test_one_pattern_of_an_mta_sts_policy_may_be_given_as_it_is(mailnet):
    mailnet.domain("example.org").mta_sts(mx="*.example.org")
    (document,) = mailnet._portal.simulation.hosts.running["mta-sts.example.org"].documents.values()
    assert b"mx: *.example.org\r\n" in document.body


def test_one_host_of_a_route_may_be_given_as_it_is(mailnet):
    assert [host.name for host in mailnet.route_to("example.org", via="edge.example.org")] == [
        "edge.example.org"
    ]
    assert [host.name for host in mailnet.route("shop.test", via="out.shop.test")] == ["out.shop.test"]
    for lay in (mailnet.route, mailnet.route_to):
        with pytest.raises(DeclarationError, match="one host at least"):
            lay("example.org", via=[])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda net: net.domain("example.org").policy(greylist="5"), DeclarationError),
        (lambda net: net.domain("example.org").policy(greylist=minutes(-5)), DeclarationError),
        (lambda net: net.queue.schedule(give_up_after=5), TypeError),
        (lambda net: net.queue.schedule(give_up_after=minutes(-5)), ValueError),
        (lambda net: net.queue.schedule(warn_after=5), TypeError),
        (lambda net: net.queue.schedule(gaps=[5]), TypeError),
        (lambda net: net.queue.schedule(gaps=minutes(5)), TypeError),
        (lambda net: net.queue.schedule(gaps=[minutes(-5)]), ValueError),
        (lambda net: net.account("bob@example.org").set_auto_reply(5), TypeError),
        (lambda net: net.account("bob@example.org").set_auto_reply("Away", days=-1), ValueError),
        (lambda net: net.account("bob@example.org").inbox.put(5), DeclarationError),
    ],
)
def test_what_is_no_duration_and_no_text(mailnet, call, error):
    with pytest.raises(error, match=r"duration|text|days"):
        call(mailnet)


def test_all_mistakes_in_the_options_of_a_host_are_told_at_once(mailnet):
    host = mailnet.host("mx1.example.org")
    before = host.options
    with pytest.raises(DeclarationError) as caught:
        host.configure(
            max_recipient=3, hide={"DNS", "STARTTSL", "DSN"}, bounces="qmale", require_tls="yes", imap="gmail"
        )
    assert str(caught.value).splitlines() == [
        "6 mistakes in the options of host 'mx1.example.org':",
        "  there is no option 'max_recipient'; did you mean 'max_recipients'?",
        "  bounces: there is no 'qmale'; did you mean 'qmail' or 'gmail'?",
        "  'require_tls' must be true or false, not 'yes'.",
        "  there is no 'DNS' to hide; did you mean 'DSN'?",
        "  there is no 'STARTTSL' to hide; did you mean 'STARTTLS' or 'SASL'?",
        "  there is no kind of IMAP server 'gmail'; did you mean 'gmail-like'?",
    ]
    assert host.options == before


def test_and_so_they_are_in_a_configuration(tmp_path):
    file = tmp_path / "world.toml"
    file.write_text(
        '[hosts."mx.example.org"]\nhide = ["DNS"]\nbounces = "qmale"\nsending_tls = "always"\n'
        'alters = ["footer", "footnote"]\ndns_cache = "forever"\nmax_errors = "few"\nimap = "gmail"\n',
        "utf-8",
    )
    with pytest.raises(DeclarationError) as caught:
        MailNet(config=file).start()
    told = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.partition("; ")[0] for line in told] == [
        f"7 mistakes in {'world.toml'}:",
        "  world.toml:2: [hosts.\"mx.example.org\"]: there is no 'DNS' to hide",
        "  world.toml:3: [hosts.\"mx.example.org\"]: bounces: there is no 'qmale'",
        "  world.toml:4: [hosts.\"mx.example.org\"]: sending_tls: there is no 'always'",
        "  world.toml:5: [hosts.\"mx.example.org\"]: alters: there is no 'footnote'",
        "  world.toml:6: [hosts.\"mx.example.org\"]: dns_cache: there is no 'forever'",
        "  world.toml:7: [hosts.\"mx.example.org\"]: 'max_errors' must be a whole number from 0 up, "
        "not the string 'few'.",
        "  world.toml:8: [hosts.\"mx.example.org\"]: there is no kind of IMAP server 'gmail'",
    ]
