"""Grease: careful clients of all kinds see the same as ever, and careless ones do not."""

from __future__ import annotations

import imaplib
import poplib
import shutil
import smtplib
import socket
import subprocess
from email.message import EmailMessage

import aioimaplib
import aiosmtplib
import imapclient
import pytest

from fakemail import AsyncMailNet, DeclarationError, MailNet, Stage

SEEDS = range(6)


def mail(subject: str = "Hi") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@shop.test", "bob@example.org", subject
    message.set_content("Hello\n.dot\n")
    return message


@pytest.mark.parametrize("seed", SEEDS)
def test_smtplib(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        bob, shop = net.account("bob@example.org"), net.account("hello@shop.test")
        for smtp in (shop.submission, shop.submissions, net.mx("example.org")):
            with smtp.smtplib() as client:
                assert client.noop()[0] == 250
                assert client.vrfy("bob")[0] in (250, 252, 550)
                client.send_message(mail())
                with pytest.raises(smtplib.SMTPSenderRefused):
                    client.sendmail("a@@b", ["bob@example.org"], "Hi")
        net.settle()
        assert [each.text for each in bob.inbox] == ["Hello\n.dot\n"] * 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.asyncio
async def test_aiosmtplib(seed: int) -> None:
    async with AsyncMailNet(grease=True, seed=seed) as net:
        bob, shop = net.account("bob@example.org"), net.account("hello@shop.test")
        smtp = shop.submission
        await aiosmtplib.send(
            mail(),
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username,
            password=smtp.password,
            start_tls=True,
            tls_context=net.ssl_context,
        )
        assert (await bob.inbox.wait_for_one()).subject == "Hi"


@pytest.mark.parametrize("seed", SEEDS)
def test_imaplib(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(mail("One"))
        bob.inbox.put(mail("Two"))
        for box in (bob.imap, bob.imaps):
            with box.imaplib() as client:
                assert client.select() == ("OK", [b"2"])
                assert client.search(None, "SUBJECT", "Two") == ("OK", [b"2"])
                assert client.fetch("2", "(BODY[TEXT])")[1][0][1] == b"Hello\r\n.dot\r\n"
                assert client.store("1", "+FLAGS", r"(\Seen)")[0] == "OK"
                assert client.append("INBOX", "", None, mail("Three").as_bytes())[0] == "OK"
                assert client.copy("3", "Archive")[0] == "OK"
                client.store("3", "+FLAGS", r"(\Deleted)")
                assert client.expunge() == ("OK", [b"3"])
                names = b" ".join(
                    each[0] + each[1] if isinstance(each, tuple) else each for each in client.list()[1]
                )
                assert b"Drafts" in names
        assert [each.subject for each in bob.folder("Archive")] == ["Three"] * 2


@pytest.mark.parametrize("seed", SEEDS)
def test_imapclient(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(mail("One"))
        box = bob.imaps
        with imapclient.IMAPClient(box.host, box.port, ssl_context=net.ssl_context) as client:
            client.login(box.username, box.password)
            assert {"INBOX", "Sent", "Drafts"} <= {name for _, _, name in client.list_folders()}
            assert client.select_folder("INBOX")[b"EXISTS"] == 1
            envelope = client.fetch([1], ["ENVELOPE", "FLAGS", "RFC822.SIZE"])[1][b"ENVELOPE"]
            assert envelope.subject == b"One"
            client.idle()
            bob.inbox.put(mail("Two"))
            assert (2, b"EXISTS") in client.idle_check(timeout=5)
            client.idle_done()
            assert client.has_capability("IDLE")


@pytest.mark.parametrize("seed", SEEDS)
def test_poplib(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(mail("One"))
        for box in (bob.pop3, bob.pop3s):
            client = box.poplib()
            assert client.stat()[0] == 1
            assert client.list()[1][0].startswith(b"1 ")
            assert len(client.uidl()[1]) == 1
            assert {"TOP", "UIDL"} <= set(client.capa())
            assert client.retr(1)[1][-1] == b".dot"
            client.quit()


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("seed", SEEDS)
def test_curl(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        bob, smtp = net.account("bob@example.org"), net.account("hello@shop.test").submission
        trust = ["--silent", "--show-error", "--ssl-reqd", "--cacert", net.ca_file, "--max-time", "20"]
        envelope = ["--mail-from", "hello@shop.test", "--mail-rcpt", "bob@example.org"]
        url = f"smtp://{smtp.host}:{smtp.port}/app.shop.test"
        done = subprocess.run(
            [
                "curl",
                *trust,
                url,
                "--user",
                f"{smtp.username}:{smtp.password}",
                *envelope,
                "--upload-file",
                "-",
            ],
            input=mail().as_bytes().replace(b"\n", b"\r\n"),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        net.settle()
        assert bob.inbox.one().subject == "Hi"
        box = bob.imap
        url = f"imap://{box.host}:{box.port}/INBOX;UID=1"
        done = subprocess.run(
            ["curl", *trust, url, "--user", f"{box.username}:{box.password}"],
            capture_output=True,
            check=False,
        )
        assert b"Subject: Hi" in done.stdout, done.stderr


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.asyncio
async def test_aioimaplib(seed: int) -> None:
    async with AsyncMailNet(grease=True, seed=seed) as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(mail("One"))
        box = bob.imaps
        client = aioimaplib.IMAP4_SSL(box.host, box.port, ssl_context=net.ssl_context)
        await client.wait_hello_from_server()
        assert (await client.login(box.username, box.password)).result == "OK"
        assert (await client.select()).result == "OK"
        found = await client.fetch("1", "(UID FLAGS BODY.PEEK[TEXT] RFC822.SIZE)")
        assert found.result == "OK"
        assert b"Hello\r\n.dot\r\n" in found.lines
        await client.logout()


def test_the_items_of_fetch_come_in_another_order() -> None:
    asked = "(UID FLAGS RFC822.SIZE INTERNALDATE)"
    orders = set()
    for seed in SEEDS:
        with MailNet(grease=True, seed=seed) as net:
            bob = net.account("bob@example.org")
            bob.inbox.put(mail("One"))
            with bob.imap.imaplib() as client:
                client.select()
                # Others may be there that nobody asked for.
                (line,) = (each for each in client.fetch("1", asked)[1] if b"RFC822.SIZE" in each)
        places = {name: line.index(name.encode()) for name in asked.strip("()").split()}
        orders.add(tuple(sorted(places, key=lambda name: places[name])))
    assert len(orders) > 1


def test_flags_are_told_that_nobody_asked_for() -> None:
    told = set()
    for seed in SEEDS:
        with MailNet(grease=True, seed=seed) as net:
            bob = net.account("bob@example.org")
            bob.inbox.put(mail("One"))
            bob.inbox.put(mail("Two"))
            with bob.imap.imaplib() as client:
                client.select()
                for _ in range(3):
                    first, *others = client.fetch("2", "(RFC822.SIZE)")[1]
                    assert first.startswith(b"2 (RFC822.SIZE ")
                    told.add(tuple(others))
    assert () in told
    assert (b"1 (UID 1 FLAGS (\\Recent))",) in told


def test_a_small_window_takes_a_long_message_in_pieces() -> None:
    octets = b"x" * 4_000_000
    taken = set()
    for seed in SEEDS:
        with MailNet(grease=True, seed=seed) as net:
            net.account("bob@example.org")
            smtp = net.mx("example.org")
            with socket.create_connection((smtp.host, smtp.port), timeout=5) as client:
                client.setblocking(False)
                taken.add(client.send(octets) < 1_000_000)
    assert taken == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_message_arrives_through_any_window(seed: int) -> None:
    message = mail("Long")
    message.set_content("a line of text\n" * 20_000)
    with MailNet(grease=True, seed=seed) as net:
        bob = net.account("bob@example.org")
        with net.mx("example.org").smtplib() as client:
            client.send_message(message)
        with bob.imap.imaplib() as imap:
            imap.select()
            assert len(imap.fetch("1", "(BODY[TEXT])")[1][0][1]) == 16 * 20_000


class Careless:
    """Reads once and takes what came for the whole answer."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=5)

    def hears(self, start: str) -> None:
        answer = self._socket.recv(4096).decode()
        if not answer.startswith(start) or not answer.endswith("\r\n") or answer.count("\r\n") > 1:
            raise ValueError(f"no answer that I know: {answer!r}")

    def send(self) -> None:
        with self._socket:
            self.hears("220 ")
            for line, code in (
                ("HELO app.shop.test", "250 "),
                ("MAIL FROM:<hello@shop.test>", "250 2.1.0 sender OK"),
                ("RCPT TO:<bob@example.org>", "250 2.1.5 recipient OK"),
                ("DATA", "354 "),
                ("Subject: Hi\r\n\r\nHello\r\n.", "250 "),
            ):
                self._socket.sendall(f"{line}\r\n".encode())
                self.hears(code)


def test_a_careless_client_works_by_luck() -> None:
    with MailNet() as net:
        bob, smtp = net.account("bob@example.org"), net.mx("example.org")
        Careless(smtp.host, smtp.port).send()
        assert bob.inbox.one().subject == "Hi"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_careless_client_fails(seed: int) -> None:
    with MailNet(grease=True, seed=seed) as net:
        net.account("bob@example.org")
        smtp = net.mx("example.org")
        with pytest.raises(ValueError, match="no answer that I know"):
            Careless(smtp.host, smtp.port).send()


def test_one_seed_gives_one_conversation() -> None:
    def said(seed: int) -> str:
        with MailNet(grease=True, seed=seed) as net:
            net.account("bob@example.org")
            with net.mx("example.org").smtplib() as client:
                client.send_message(mail())
            return "\n".join(
                line for line in net.transcript().splitlines() if line.strip().startswith(("S:", "C:"))
            )

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_our_own_hosts_speak_as_ever() -> None:
    with MailNet(grease=True) as net:
        bob, shop = net.account("bob@example.org"), net.account("hello@shop.test")
        with shop.submission.smtplib() as client:
            client.send_message(mail())
        net.settle()
        assert bob.inbox.one().subject == "Hi"
        banner = net.events(Stage.SMTP_BANNER, host="mx1.example.org").one()
        assert banner.reply.text == "mx1.example.org ESMTP fakemail"


def test_refusals_for_now_pass_when_tried_again() -> None:
    refused = 0
    for seed in SEEDS:
        with MailNet(grease="retries", seed=seed) as net:
            bob, smtp = net.account("bob@example.org"), net.mx("example.org")
            for _ in range(4):  # at MAIL, at RCPT and at the end of the message, once each
                try:
                    with smtp.smtplib() as client:
                        client.send_message(mail())
                    break
                except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
                    refused += 1
            assert bob.inbox.one().subject == "Hi"
    assert refused > 0


def test_a_configuration_can_want_it_and_is_written_with_it() -> None:
    with MailNet(config='grease = "retries"') as net:
        assert net.grease == "retries"
        assert 'grease = "retries"' in net.to_toml()
    with MailNet(config="grease = true", grease=False) as net:
        assert net.grease is False
        assert "grease" not in net.to_toml()


def test_a_level_that_is_none() -> None:
    with pytest.raises(DeclarationError, match="grease is True, False or 'retries', not 'much'"):
        MailNet(grease="much")


def test_errors_of_clients_stay_errors() -> None:
    with MailNet(grease=True) as net:
        box = net.account("bob@example.org")
        with (
            imaplib.IMAP4_SSL(box.imaps.host, box.imaps.port, ssl_context=net.ssl_context) as imap,
            pytest.raises(imaplib.IMAP4.error),
        ):
            imap.login("bob", "wrong")
        client = poplib.POP3_SSL(box.pop3s.host, box.pop3s.port, context=net.ssl_context)
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        client.quit()
