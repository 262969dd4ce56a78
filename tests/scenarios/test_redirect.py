"""The redirect of this process: real names, public addresses and real ports in the code under test lead here."""

from __future__ import annotations

import asyncio
import errno
import os
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage

import aiosmtplib
import dns.asyncbackend
import dns.asyncresolver
import dns.resolver
import pytest

from fakemail import DeclarationError, MailAssertionError, MailNet

MAIL = "Subject: News\n\nAll new."


def attributes():
    """Everything that a redirect replaces, by identity."""
    import pycares
    import uvloop

    found = {name: getattr(socket, name) for name in dir(socket) if "get" in name}
    for owner in (socket.socket, uvloop.Loop, pycares.Channel):
        found |= {(owner.__name__, name): value for name, value in vars(owner).items()}
    return found | {"env": dict(os.environ)}


def test_smtplib_by_real_name_and_port(mailnet):
    bob = mailnet.account("bob@example.org")
    with mailnet.redirect(), smtplib.SMTP("mx1.example.org", 25) as client:
        client.starttls(context=ssl.create_default_context())  # it trusts the authority, as one would in life
        client.sendmail("hello@shop.test", [bob.address], MAIL)
    mail = bob.inbox.wait_for_one()
    peer = mail.envelope.origin.peer
    assert (peer.name, peer.address) == ("app", "203.0.113.250")


def test_by_public_address(mailnet):
    bob = mailnet.account("bob@example.org")
    host = mailnet.domain("example.org").hosts[0]
    with mailnet.redirect():
        for address in (host.ipv4, host.ipv6):
            with smtplib.SMTP(address, 25) as client:
                assert client.sock.getpeername()[:2] == (address, 25)
                client.sendmail("hello@shop.test", [bob.address], MAIL)
    assert len(bob.inbox.wait_for_count(2)) == 2


@pytest.mark.asyncio
async def test_asyncio_and_aiosmtplib(async_mailnet):
    bob = async_mailnet.account("bob@example.org")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@shop.test", bob.address, "News"
    message.set_content("All new.")
    with async_mailnet.redirect():
        await aiosmtplib.send(message, hostname="mx1.example.org", port=25)
        reader, writer = await asyncio.open_connection("mx1.example.org", 25)
        assert (await reader.readline()).startswith(b"220 mx1.example.org")
        writer.close()
        await writer.wait_closed()
    assert (await bob.inbox.wait_for_one()).subject == "News"


def test_uvloop(mailnet):
    import uvloop

    mailnet.account("bob@example.org")

    async def look() -> bytes:
        reader, writer = await asyncio.open_connection("mx1.example.org", 25)
        line = await reader.readline()
        writer.close()
        loop = asyncio.get_running_loop()
        assert await loop.getaddrinfo("mx1.example.org", 25) == socket.getaddrinfo("mx1.example.org", 25)
        return line

    with mailnet.redirect(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(look()).startswith(b"220 mx1.example.org")


def test_implicit_tls_and_reading(mailnet):
    import imaplib
    import poplib

    bob = mailnet.account("bob@example.org", password="s3cret")
    name = mailnet.domain("example.org").imap_host.name
    bob.inbox.put("Subject: Hello\n\nHi.")
    with mailnet.redirect():
        with imaplib.IMAP4_SSL(name) as imap:
            imap.login(bob.address, "s3cret")
            assert imap.select("INBOX")[1] == [b"1"]
        pop = poplib.POP3_SSL(name)
        pop.user(bob.address)
        pop.pass_("s3cret")
        assert pop.stat()[0] == 1
        pop.quit()


def test_dnspython_with_its_default_settings(mailnet):
    mailnet.domain("example.org")
    with mailnet.redirect():
        [record] = dns.resolver.Resolver().resolve("example.org", "MX")
        assert str(record.exchange) == "mx1.example.org."
        [record] = dns.resolver.Resolver().resolve("example.org", "MX", tcp=True)
        assert record.preference == 10
        with pytest.raises(dns.resolver.NXDOMAIN):
            dns.resolver.Resolver().resolve("nothing.test", "MX")
    assert {query.transport for query in mailnet.dns.queries(type="MX")} == {"udp", "tcp"}


@pytest.mark.asyncio
async def test_dnspython_in_asyncio(async_mailnet):
    async_mailnet.domain("example.org")
    with async_mailnet.redirect():
        [record] = await dns.asyncresolver.Resolver().resolve("example.org", "MX")
    assert str(record.exchange) == "mx1.example.org."


@pytest.mark.asyncio
async def test_aiodns(async_mailnet):
    import aiodns

    async_mailnet.domain("example.org")
    with async_mailnet.redirect():
        resolver = aiodns.DNSResolver(nameservers=["192.0.2.99"])
        found = await resolver.query_dns("example.org", "MX")
        await resolver.close()
    assert [each.data.exchange for each in found.answer] == ["mx1.example.org"]


def test_all_the_ways_to_look_up_a_name(mailnet):
    host = mailnet.domain("example.org").hosts[0]
    with mailnet.redirect():
        assert socket.gethostbyname(host.name) == host.ipv4
        assert socket.gethostbyname_ex(host.name) == (host.name, [], [host.ipv4])
        assert socket.gethostbyaddr(host.ipv4)[0] == host.name
        assert socket.getnameinfo((host.ipv4, 25), 0)[0] == host.name
        assert socket.getnameinfo((host.ipv4, 25), socket.NI_NUMERICHOST)[0] == host.ipv4
        assert socket.getfqdn(host.ipv4) == host.name
        found = socket.getaddrinfo(host.name, "smtp", type=socket.SOCK_STREAM)
        assert [(each[0], each[4][:2]) for each in found] == [
            (socket.AF_INET, (host.ipv4, 25)),
            (socket.AF_INET6, (host.ipv6, 25)),
        ]
        assert socket.getaddrinfo(b"mx1.example.org", 25, socket.AF_INET6)[0][4][0] == host.ipv6
        assert socket.getaddrinfo(host.ipv4, 25)[0][4][0] == host.ipv4
        with pytest.raises(socket.gaierror, match=r"not known in the fake internet: 'nothing\.test'"):
            socket.getaddrinfo("nothing.test", 25)
        with pytest.raises(socket.gaierror):
            socket.gethostbyname("nothing.test")
        with pytest.raises(socket.herror):
            socket.gethostbyaddr("198.51.100.200")


def test_a_connection_by_name_without_a_look_up(mailnet):
    mailnet.domain("example.org")
    with mailnet.redirect(), socket.socket() as sock:
        assert sock.connect_ex(("mx1.example.org", 25)) == 0
        assert sock.recv(100).startswith(b"220 mx1.example.org")


def test_nobody_listens_there(mailnet):
    host = mailnet.domain("example.org").hosts[0]
    with mailnet.redirect():
        with pytest.raises(ConnectionRefusedError, match="no server of the fake internet"):
            socket.create_connection((host.ipv4, 26))
        with socket.socket() as sock:
            assert sock.connect_ex((host.ipv4, 26)) == errno.ECONNREFUSED
        host.faults.refuse_connections()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.name, 25))


def test_what_leads_out_fails_and_fails_the_test_at_the_end(mailnet):
    wanted = r"192\.88\.99\.1 port 25, 2 times\n.*mailnet.redirect\(allow="
    with pytest.raises(MailAssertionError, match=wanted), mailnet.redirect() as redirection:
        for _ in range(2):
            with pytest.raises(OSError, match=r"unreachable: 192\.88\.99\.1 port 25 is outside"):
                socket.create_connection(("192.88.99.1", 25))
        assert [(each.host, each.port) for each in redirection.escapes] == [("192.88.99.1", 25)] * 2
    assert mailnet.is_running


def test_an_escape_that_the_program_kept_to_itself_fails_the_end_of_the_world():
    with pytest.raises(MailAssertionError, match=r"192\.88\.99\.1 port 53"), MailNet() as net:
        net.redirect()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
            pytest.raises(OSError, match="outside"),
        ):
            sock.sendto(b"?", ("192.88.99.1", 53))
    assert "connect" not in vars(socket.socket)


def test_what_is_allowed_is_let_through(mailnet):
    with mailnet.redirect(allow=["192.88.99.1", "db.internal"]) as redirection, socket.socket() as sock:
        sock.setblocking(False)
        assert sock.connect_ex(("192.88.99.1", 9)) in (
            errno.EINPROGRESS,
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
        )
        with pytest.raises(socket.gaierror) as caught:
            socket.getaddrinfo("db.internal", 5432)
        assert "fake internet" not in str(caught.value)  # the system was asked
        assert redirection.escapes == ()


def test_this_machine_is_left_alone(mailnet):
    with mailnet.redirect(), socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("127.0.0.1", "localhost"):
            with socket.create_connection((name, server.getsockname()[1])) as sock:
                assert sock.getpeername() == server.getsockname()
        left, right = socket.socketpair()
        left.sendmsg([b"x"])
        assert right.recv(1) == b"x"
        left.close()
        right.close()
        assert socket.getaddrinfo(None, 80)


def test_this_machine_by_its_names(mailnet):
    with mailnet.redirect(), socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        for name in ("LocalHost", b"127.0.0.1", socket.gethostname()):
            with socket.socket() as sock:
                sock.connect((name, port))
                assert sock.getpeername()[1] == port
        with socket.create_connection((socket.gethostname(), port)) as sock:
            assert sock.getpeername()[1] == port


def test_ipv4_in_a_socket_for_ipv6(mailnet):
    host = mailnet.domain("example.org").hosts[0]
    with mailnet.redirect(), socket.socket(socket.AF_INET6) as sock:
        sock.connect((f"::ffff:{host.ipv4}", 25))
        assert sock.recv(100).startswith(b"220 mx1.example.org")
        assert sock.getpeername()[:2] == (f"::ffff:{host.ipv4}", 25)


@pytest.mark.parametrize("address", ["<broadcast>", "255.255.255.255", "224.0.0.1"])
def test_nobody_calls_to_all_neighbours(mailnet, address):
    with mailnet.redirect() as redirection, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        with pytest.raises(OSError, match="outside"):
            sock.sendto(b"?", (address, 53))
        with pytest.raises(MailAssertionError):
            redirection.require_none_escaped()


def test_a_name_is_not_looked_up_where_an_address_is_demanded(mailnet):
    mailnet.domain("example.org")
    with mailnet.redirect(), pytest.raises(socket.gaierror):
        socket.getaddrinfo("mx1.example.org", 25, flags=socket.AI_NUMERICHOST)
    assert not mailnet.dns.queries()


def test_a_socket_with_tls_shows_the_public_address(mailnet):
    mailnet.account("hello@shop.test")
    host = mailnet.find_host("smtp.shop.test")
    with mailnet.redirect(), smtplib.SMTP_SSL(host.name, 465) as client:
        assert client.sock.getpeername() == (host.ipv4, 465)


def test_trio(mailnet):
    import trio

    mailnet.account("hello@shop.test")

    async def look() -> None:
        trio_backend = dns.asyncbackend.get_backend("trio")  # it keeps the first that it found in a process
        resolver = dns.asyncresolver.Resolver()
        for tcp in (False, True):
            [record] = await resolver.resolve("shop.test", "MX", tcp=tcp, backend=trio_backend)
            assert str(record.exchange) == "mx1.shop.test."
        stream = await trio.open_tcp_stream("smtp.shop.test", 587)
        assert (await stream.receive_some(100)).startswith(b"220 smtp.shop.test")
        await stream.aclose()

    with mailnet.redirect():
        trio.run(look)


def test_a_real_server_that_is_attached_in_the_midst(mailnet):
    mailnet.domain("example.org")
    with mailnet.redirect(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("mx1.example.org", 25)).close()
        mailnet.add_external_host("mx1.example.org", *server.getsockname())
        with socket.create_connection(("mx1.example.org", 25)), server.accept()[0]:
            pass


def test_what_a_redirect_saw_that_has_ended_counts_too():
    with pytest.raises(MailAssertionError, match=r"192\.88\.99\.1 port 25"), MailNet() as net:
        first = net.redirect()
        with socket.socket() as sock:
            assert sock.connect_ex(("192.88.99.1", 25)) == errno.ENETUNREACH
        first.end()
        net.redirect().end()


def test_a_redirect_that_cannot_begin_leaves_nothing(mailnet, monkeypatch):
    before = attributes()
    with monkeypatch.context() as broken:
        broken.setattr("fakemail.intercept.compiled.redirect", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            mailnet.redirect()
    assert attributes() == before
    with mailnet.redirect():
        pass


def test_everything_is_put_back_exactly(mailnet):
    before = attributes()
    with mailnet.redirect():
        assert attributes() != before
    assert attributes() == before


def test_threads_are_redirected_and_set_free(mailnet):
    mailnet.domain("example.org")
    found = []

    def look():
        with socket.create_connection(("mx1.example.org", 25)) as sock:
            found.append(sock.recv(3))

    with mailnet.redirect():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [b"220"]


def test_one_redirect_at_a_time(mailnet):
    with mailnet.redirect(), MailNet() as other, pytest.raises(DeclarationError, match="redirected already"):
        other.redirect()
    with mailnet.redirect():
        pass


def test_the_fake_hosts_reach_each_other_meanwhile(mailnet):
    shop, bob = mailnet.accounts("hello@shop.test", "bob@example.org")
    with mailnet.redirect(), smtplib.SMTP("smtp.shop.test", 587) as client:
        client.starttls()
        client.login(shop.address, shop.password)
        client.sendmail(shop.address, [bob.address], MAIL)
        assert bob.inbox.wait_for_one().subject == "News"
