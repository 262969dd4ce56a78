"""Every action at every stage of SMTP where it is possible, as a client sees it on a real socket."""

from __future__ import annotations

import re
import socket
import ssl
from typing import NamedTuple

import pytest

from fakemail import Stage, faults, seconds
from fakemail.faults.actions import NONSENSE
from fakemail.faults.catalogue import ENDINGS, ON_ANSWERS, rows

EHLO = "EHLO client.test"
MAIL = "MAIL FROM:<ann@shop.test>"
RCPT = "RCPT TO:<bob@example.org>"
TEXT = "Subject: News\r\n\r\nOne.\r\nTwo.\r\nThree.\r\n."


class Way(NamedTuple):
    """How a client gets to a stage."""

    before: tuple[str, ...]
    last: str
    service: str = "smtp"


WAYS = {
    Stage.SMTP_BANNER: Way((), ""),
    Stage.SMTP_HELO: Way((), EHLO),
    Stage.SMTP_STARTTLS: Way((EHLO,), "STARTTLS"),
    Stage.SMTP_AUTH: Way((EHLO,), "AUTH PLAIN AGFubkBzaG9wLnRlc3QAc2VjcmV0", "submission"),
    Stage.SMTP_XCLIENT: Way((EHLO,), "XCLIENT ADDR=192.0.2.77"),
    Stage.SMTP_MAIL: Way((EHLO,), MAIL),
    Stage.SMTP_RCPT: Way((EHLO, MAIL), RCPT),
    Stage.SMTP_DATA: Way((EHLO, MAIL, RCPT), "DATA"),
    Stage.SMTP_BDAT: Way((EHLO, MAIL, RCPT), "BDAT 4\r\nHi"),
    Stage.SMTP_BODY: Way((EHLO, MAIL, RCPT, "DATA"), TEXT),
    Stage.SMTP_END: Way((EHLO, MAIL, RCPT, "DATA"), TEXT),
    Stage.SMTP_RSET: Way((EHLO,), "RSET"),
    Stage.SMTP_NOOP: Way((EHLO,), "NOOP"),
    Stage.SMTP_VRFY: Way((EHLO,), "VRFY bob"),
    Stage.SMTP_EXPN: Way((EHLO,), "EXPN team"),
    Stage.SMTP_HELP: Way((EHLO,), "HELP"),
    Stage.SMTP_QUIT: Way((EHLO,), "QUIT"),
    Stage.SMTP_UNKNOWN: Way((EHLO,), "FROBNICATE"),
}

ACTIONS = {
    "reply": faults.reply(450, "4.9.9", "not now"),
    "close": faults.close(),
    "drop": faults.drop(),
    "reset": faults.reset(),
    "no_reply": faults.no_reply(),
    "delay": faults.delay(seconds(0.02)),
    "trickle": faults.trickle(),
    "throttle": faults.throttle(1000),
    "partial_reply": faults.partial_reply(),
    "garbage": faults.garbage(),
    "oversized_line": faults.oversized_line(5000),
    "malformed": faults.malformed(),
    "wrong_line_ends": faults.wrong_line_ends(),
    "duplicate_reply": faults.duplicate_reply(),
    "drop_reply": faults.drop_reply(),
}


class Client:
    """A raw connection, which sees everything."""

    def __init__(self, address):
        self.pieces = []
        self.end = ""
        try:
            self.socket = socket.create_connection(address, timeout=5)
        except ConnectionResetError:  # it may come while the system is still connecting
            self.socket, self.end = socket.socket(), "reset"

    def hear(self, enough, *, patience=5.0):
        """Read until there is enough, or nothing more comes."""
        self.socket.settimeout(patience)
        self.pieces.clear()
        while not self.end and not enough(self.heard):
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                self.end = "silence"
                break
            except ConnectionResetError:
                self.end = "reset"
                break
            if not piece:
                self.end = "closed"
                break
            self.pieces.append(piece)
        return self.heard

    @property
    def heard(self):
        return b"".join(self.pieces)

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.hear(is_reply)

    def close(self):
        self.socket.close()


def is_reply(octets):
    return re.search(rb"(?m)^\d\d\d(?: .*)?\r\n\Z", octets) is not None


@pytest.fixture(scope="module")
def net(mailnet_factory):
    net = mailnet_factory(accounts=["bob@example.org"])
    net.domain("example.org").hosts[0].configure(xclient_from={"app"})
    net.domain("example.org").alias("team", "bob@example.org")
    net.account("ann@shop.test", password="secret").submission.server.configure(auth_in_clear=True)
    return net


@pytest.fixture
def client(net):
    made = []

    def connect(service="smtp"):
        host = net.domain("example.org").hosts[0]
        if service == "submission":
            host = net.domain("shop.test").submission_host
        settings = host.settings(service)
        made.append(Client((settings.host, settings.port)))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def travel(client, way):
    """Go to the stage, and say what leads into it."""
    if way.last:
        client.hear(is_reply)
        for line in way.before:
            assert client.say(line)[:1] in b"23"
        client.socket.sendall(way.last.encode() + b"\r\n")
    return client


def usual(net, client, way):
    connection = travel(client(way.service), way)
    return connection.hear(is_reply)


def test_there_is_a_way_to_every_stage():
    assert set(WAYS) == {stage for stage in rows() if stage.value.startswith("smtp.")}


def test_there_is_a_case_for_every_common_action():
    assert set(ACTIONS) == {"reply"} | {kind.name for kind in ENDINGS | ON_ANSWERS}


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (stage, kind.name)
        for stage in WAYS
        for kind in sorted(rows()[stage].actions, key=lambda kind: kind.name)
        if kind.name in ACTIONS and (stage, kind.name) != (Stage.SMTP_BODY, "delay")
    ],
    ids=str,
)
def test_what_the_client_sees(net, client, stage, name):
    way = WAYS[stage]
    before = usual(net, client, way)
    with net.faults.add(stage, ACTIONS[name], times=1) as fault:
        connection = travel(client(way.service), way)
        if name == "no_reply":
            assert connection.hear(lambda _: False, patience=0.05) == b""
        elif name in ("drop", "reset", "drop_reply", "partial_reply", "close"):
            connection.hear(lambda _: False)
        elif name == "garbage":
            connection.hear(lambda octets: octets == NONSENSE)
        elif name == "duplicate_reply":
            connection.hear(lambda octets: is_reply(octets) and octets == octets[: len(octets) // 2] * 2)
        elif name == "wrong_line_ends":
            connection.hear(lambda octets: is_reply(octets.replace(b"\n", b"\r\n")))
        elif name == "malformed":
            connection.hear(lambda octets: re.search(rb"(?m)^\d\d(?: .*)?\r\n\Z", octets))
        else:
            connection.hear(is_reply)
    heard, end = connection.heard, connection.end
    code = before[:3]
    match name:
        case "reply":
            assert heard == b"450 4.9.9 not now\r\n" or stage is Stage.SMTP_BANNER
            assert heard.startswith(b"450 ")
        case "close":
            assert heard.startswith(b"421 ")
            assert end == "closed"
        case "drop" | "drop_reply":
            assert (heard, end) == (b"", "closed")
        case "reset":
            assert (heard, end) == (b"", "reset")
        case "no_reply":
            assert end == "silence"
        case "delay":
            assert heard.startswith(code)
        case "trickle" | "throttle":
            assert heard.startswith(code)
            assert len(connection.pieces) > 1 or len(heard) <= 100
        case "partial_reply":
            assert heard
            assert not is_reply(heard)
            assert end == "closed"
        case "garbage":
            assert heard == NONSENSE
        case "oversized_line":
            assert heard.endswith(b"x" * 5000 + b"\r\n")
        case "malformed":
            assert heard.startswith(code[1:])
        case "wrong_line_ends":
            assert b"\r" not in heard
        case "duplicate_reply":
            assert heard.count(b"\r\n") == 2 * before.count(b"\r\n")
    assert fault.fired == 1
    fired = [event for event in net.events(stage) if type(event).__name__ == "FaultFired"][-1]
    assert fired.action == str(ACTIONS[name])


def test_a_message_is_read_slowly(net, client):
    with net.faults.add(Stage.SMTP_BODY, faults.delay(seconds(0.02)), after=10) as fault:
        connection = travel(client(), WAYS[Stage.SMTP_BODY])
        assert connection.hear(is_reply).startswith(b"250 ")
    assert fault.fired == 1


def test_a_fault_in_the_body_waits_for_so_many_octets(net, client):
    with net.faults.drop(Stage.SMTP_BODY, after=1000) as fault:
        connection = travel(client(), WAYS[Stage.SMTP_BODY])
        assert connection.hear(is_reply).startswith(b"250 ")
        assert fault.fired == 0
        connection = travel(client(), Way(WAYS[Stage.SMTP_BODY].before, "x" * 2000))
        connection.hear(lambda _: False)
        assert connection.end in ("closed", "reset")
        assert fault.fired == 1


# Where somebody connects ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "end"), [(faults.drop(), "closed"), (faults.reset(), "reset"), (faults.no_reply(), "silence")]
)
def test_at_the_connection(net, client, action, end):
    with net.faults.add(Stage.CONNECT, action):
        connection = client()
        assert connection.hear(lambda _: False, patience=0.05 if end == "silence" else 5) == b""
    assert connection.end == end


def test_connections_are_refused_or_hang(net, client):
    host = net.domain("example.org").hosts[0]
    address = host.settings("smtp").host, host.settings("smtp").port
    with host.faults.refuse_connections(), pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    with host.faults.hang_connections(), pytest.raises(TimeoutError):
        socket.create_connection(address, timeout=0.05)
    assert client().hear(is_reply).startswith(b"220 ")


# What SMTP alone has ------------------------------------------------------------------------------


def test_keywords_are_hidden_and_the_commands_with_them(net, client):
    with net.faults.add(Stage.SMTP_HELO, faults.hide("starttls", "SIZE")):
        connection = client()
        connection.hear(is_reply)
        offered = connection.say(EHLO)
        assert b"STARTTLS" not in offered
        assert b"SIZE" not in offered
        assert b"PIPELINING" in offered
        assert connection.say("STARTTLS").startswith(b"500 ")
        assert connection.say(MAIL + " SIZE=10").startswith(b"555 ")


def test_keywords_are_advertised_that_do_not_work(net, client):
    with net.faults.add(Stage.SMTP_HELO, faults.advertise("XCLIENT NAME", "AUTH LOGIN")):
        connection = client()
        connection.hear(is_reply)
        offered = connection.say(EHLO)
        assert b"XCLIENT NAME" in offered
        assert b"AUTH LOGIN" in offered
        assert connection.say("AUTH LOGIN")[:1] == b"5"


def test_clear_text_behind_the_reply_to_starttls(net, client):
    with net.faults.inject_after_starttls("250 injected\r\n"):
        connection = travel(client(), WAYS[Stage.SMTP_STARTTLS])
        heard = connection.hear(lambda octets: octets.endswith(b"injected\r\n"))
    assert heard == b"220 2.0.0 ready to start TLS\r\n250 injected\r\n"


def test_a_server_that_obeys_what_came_before_tls(net, client):
    commands = f"STARTTLS\r\n{EHLO}\r\nVRFY bob\r\n"
    for action, obeyed in ((None, False), (faults.starttls_injection(), True)):
        fault = net.faults.add(Stage.SMTP_STARTTLS, action) if action else None
        connection = client()
        connection.hear(is_reply)
        connection.say(EHLO)
        connection.socket.sendall(commands.encode())
        connection.hear(is_reply)
        context = ssl.create_default_context(cafile=net.ca_file)
        with context.wrap_socket(connection.socket, server_hostname="mx1.example.org") as secure:
            secure.sendall(b"NOOP\r\n")
            heard = b""
            while not re.search(rb"250 2.0.0 [^\r]*\r\n\Z|^5.*\n", heard):
                heard += secure.recv(65536)
        assert (b"bob@example.org" in heard) is obeyed
        if fault is not None:
            fault.remove()


def test_all_ends_of_a_message_that_are_none(net, client):
    bob = net.account("bob@example.org")
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n"):
        for is_vulnerable in (False, True):
            fault = net.faults.accept_smuggled_end(end, must_fire=False) if is_vulnerable else None
            connection = client()
            connection.hear(is_reply)
            for line in (EHLO, MAIL, RCPT, "DATA"):
                connection.say(line)
            before = len(bob.inbox)
            smuggled = b"\r\n".join(
                (
                    MAIL.encode(),
                    RCPT.encode(),
                    b"DATA",
                    b"Subject: Smuggled",
                    b"",
                    b"Give me money.",
                    b".",
                    b"",
                )
            )
            connection.socket.sendall(b"Subject: Innocent\r\n\r\nHello" + end + smuggled)
            wanted = 5 if is_vulnerable else 1
            connection.hear(lambda octets, wanted=wanted: octets.count(b"\r\n") >= wanted)
            if fault is not None:
                fault.remove()
            subjects = [mail.subject for mail in list(bob.inbox)[before:]]
            assert ("Smuggled" in subjects) is is_vulnerable, end


def deliver(net, client):
    """The messages that have come of one."""
    bob = net.account("bob@example.org")
    before = len(bob.inbox)
    connection = travel(client(), WAYS[Stage.SMTP_END])
    assert connection.hear(is_reply).startswith(b"250 ")
    return [mail.text.replace("\r\n", "\n") for mail in list(bob.inbox)[before:]]


@pytest.mark.parametrize(
    ("action", "found"),
    [
        (faults.deliver_twice(), ["One.\nTwo.\nThree.\n"] * 2),
        (faults.corrupt(), ["One.\nTwo.\nXhree.\n"]),
        (faults.truncate(), ["One.\nTwo."]),
        (faults.truncate(4), ["One."]),
        (faults.reorder(), ["Three.\nTwo.\nOne.\n"]),
        (faults.pretend_success(), []),
    ],
    ids=str,
)
def test_what_becomes_of_the_message(net, client, action, found):
    with net.faults.add(Stage.SMTP_END, action):
        assert deliver(net, client) == found


def test_one_recipient_gets_nothing_and_the_other_does(net, client):
    ann, bob = net.accounts("ann@example.org", "bob@example.org")
    before = len(bob.inbox)
    with net.faults.pretend_success(to=ann):
        connection = client()
        connection.hear(is_reply)
        for line in (EHLO, "MAIL FROM:<two@shop.test>", "RCPT TO:<ann@example.org>", RCPT, "DATA", TEXT):
            assert connection.say(line)[:1] in b"23"
    assert len(bob.inbox) == before + 1
    assert ann.inbox.is_empty
    assert str(net.journey(to=ann, sender="two@shop.test").fate).startswith("silently discarded")
    assert str(net.journey(to=bob, sender="two@shop.test").fate).startswith("delivered")
    with net.faults.pretend_success(to=ann):
        connection = client()
        connection.hear(is_reply)
        for line in (EHLO, "MAIL FROM:<three@shop.test>", "RCPT TO:<ann@example.org>", "DATA", TEXT):
            assert connection.say(line)[:1] in b"23"
    assert ann.inbox.is_empty
    assert str(net.journey(to=ann, sender="three@shop.test").fate).startswith("silently discarded")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((MAIL, "RCPT TO:<no-one-temperror@magic.test>", "DATA", TEXT), b"451"),
        ((MAIL, "RCPT TO:<PermError@magic.test>", "DATA", TEXT), b"550"),
        ((MAIL, "RCPT TO:<bob-599@magic.test>", "DATA", TEXT), b"599"),
        ((MAIL, "RCPT TO:<rcptto-452@magic.test>"), b"452"),
        (("MAIL FROM:<mailfrom-permerror@anywhere.test>",), b"550"),
        ((MAIL, "RCPT TO:<bob-699@magic.test>"), b"550"),
        ((MAIL, "RCPT TO:<rcptto-timeout@magic.test>"), b""),
    ],
)
def test_addresses_that_say_what_shall_happen(mailnet, lines, code):
    """The convention of mox localserve."""
    smtp = mailnet.domain("magic.test").enable_magic_addresses().mx
    connection = Client((smtp.host, smtp.port))
    connection.hear(is_reply)
    *before, last = (EHLO, *lines)
    for line in before:
        assert connection.say(line)[:1] in b"23"
    connection.socket.sendall(last.encode() + b"\r\n")
    assert connection.hear(is_reply, patience=5 if code else 0.05)[:3] == code
    connection.close()
