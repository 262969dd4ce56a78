"""Clients that speak for others: XCLIENT and the PROXY protocol, over real sockets."""

from __future__ import annotations

import smtplib
import socket
import struct
from contextlib import suppress

import pytest

from fakemail import DeclarationError, Reason, Stage, minutes

MAIL = b"Subject: Hello\r\n\r\nHello.\r\n"
CLIENT = "203.0.113.77"


@pytest.fixture
def mx(mailnet):
    mailnet.account("bob@example.org")
    return mailnet.mx("example.org")


def received(net):
    return net.account("bob@example.org").inbox.one().headers["Received"]


def test_xclient_is_offered_to_those_only_who_may_use_it(mailnet, mx):
    """Postfix XCLIENT_README: the attributes are listed in the reply to EHLO."""
    with smtplib.SMTP(mx.host, mx.port, timeout=10) as smtp:
        smtp.ehlo("app.test")
        assert not smtp.has_extn("xclient")
        assert smtp.docmd("XCLIENT", f"ADDR={CLIENT}")[0] == 500
    mx.server.configure(xclient_from={"198.51.100.0/24"})
    with smtplib.SMTP(mx.host, mx.port, timeout=10) as smtp:
        smtp.ehlo("app.test")
        assert not smtp.has_extn("xclient")
        assert smtp.docmd("XCLIENT", f"ADDR={CLIENT}") == (550, b"5.7.0 not for you: XCLIENT")
    mx.server.configure(xclient_from={"app"})
    with smtplib.SMTP(mx.host, mx.port, timeout=10) as smtp:
        smtp.ehlo("app.test")
        assert smtp.esmtp_features["xclient"] == "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"


def test_xclient_starts_anew_as_somebody_else(mailnet, mx):
    mailnet.dns.blocklist("zen.example").add("203.0.113.66")
    mailnet.domain("example.org").policy(
        dnsbl="zen.example", helo={"own_name": "refuse"}, greylist=minutes(5)
    )
    mx.server.configure(xclient_from={"app"})
    with smtplib.SMTP(mx.host, mx.port, timeout=10) as smtp:
        smtp.ehlo("app.test")
        code, text = smtp.docmd("XCLIENT", f"NAME=mail.else.test ADDR={CLIENT} PORT=4711 HELO=mail.else.test")
        assert (code, text) == (220, b"mx1.example.org ESMTP fakemail")
        assert smtp.mail("ann@else.test")[0] == 503, "EHLO first"
        smtp.ehlo("app.test")
        smtp.mail("ann@else.test")
        assert smtp.rcpt("bob@example.org")[0] == 451
        smtp.rset()
        mailnet.clock.advance(minutes(5))
        smtp.mail("ann@else.test")
        assert smtp.docmd("XCLIENT", f"ADDR={CLIENT}")[0] == 503, "inside a transaction"
        smtp.rcpt("bob@example.org")
        smtp.data(MAIL)
        assert f"from mail.else.test (mail.else.test [{CLIENT}])" in received(mailnet)
        assert smtp.docmd("XCLIENT", "ADDR=203.0.113.66")[0] == 554, "judged as whom it speaks for"
    told = mailnet.transcript()
    assert f"-- XCLIENT of app [203.0.113.250]: it speaks for mail.else.test [{CLIENT}]:4711" in told


@pytest.mark.parametrize(
    "said",
    ["ADDR", "ADDR=300.0.0.1", "ADDR=2001:db8::1", "PORT=70000", "COLOUR=red", "ADDR=1.2.3.4 addr=1.2.3.4"],
)
def test_xclient_that_makes_no_sense(mailnet, mx, said):
    mx.server.configure(xclient_from={"*"})
    with smtplib.SMTP(mx.host, mx.port, timeout=10) as smtp:
        smtp.ehlo("app.test")
        assert smtp.docmd("XCLIENT", said)[0] == 501


def v2(address, port, *, command=0x21, more=b""):
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    family = 0x21 if ":" in address else 0x11
    packed = socket.inet_pton(kind, address) * 2 + struct.pack("!HH", port, 25) + more
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(packed)) + packed


V1 = f"PROXY TCP4 {CLIENT} 198.51.100.2 4711 25\r\n".encode()
HEADERS = {
    "v1": (V1, CLIENT),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::2 4711 25\r\n", "2001:db8::7"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "203.0.113.250"),
    "v2": (v2(CLIENT, 4711), CLIENT),
    "v2 IPv6": (v2("2001:db8::7", 4711), "2001:db8::7"),
    "v2 with more": (v2(CLIENT, 4711, more=b"\x02\x00\x04mx.x"), CLIENT),
    "v2 LOCAL": (v2(CLIENT, 4711, command=0x20), "203.0.113.250"),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("cut", [None, 3, 17])
def test_a_proxy_says_for_whom_it_speaks(mailnet, mx, name, cut):
    """HAProxy, The PROXY protocol, §2.1 and §2.2: before the banner."""
    header, address = HEADERS[name]
    mx.server.configure(proxy_from={"app"})
    with socket.create_connection((mx.host, mx.port), timeout=10) as connection:
        connection.sendall(header[:cut])
        if cut is not None:
            connection.sendall(header[cut:])
        smtp = smtplib.SMTP(timeout=10)
        smtp.sock, smtp.file = connection, connection.makefile("rb")
        assert smtp.getreply()[0] == 220
        smtp.sendmail("ann@else.test", ["bob@example.org"], MAIL)
        smtp.quit()
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    assert literal in received(mailnet)
    spoken = address != "203.0.113.250"
    assert (f"of app [203.0.113.250]: it speaks for app [{address}]:4711" in mailnet.transcript()) is spoken


def test_the_header_comes_before_tls(mailnet):
    shop = mailnet.account("shop@shop.test")
    settings = shop.submissions
    settings.server.configure(proxy_from={"app"})
    raw = socket.create_connection((settings.host, settings.port), timeout=10)
    raw.sendall(V1)
    with settings.ssl_context.wrap_socket(raw, server_hostname=settings.server.name) as connection:
        assert connection.recv(1000).startswith(b"220 smtp.shop.test")


def test_what_is_no_header_is_dropped_without_a_word(mailnet, mx):
    mx.server.configure(proxy_from={"app"})
    for octets in (
        b"EHLO app.test\r\n",
        b"PROXY TCP4 x y 1 2\r\n",
        b"PROXY " + b"x" * 200,
        v2(CLIENT, 1, command=0x99),
    ):
        with socket.create_connection((mx.host, mx.port), timeout=10) as connection:
            connection.sendall(octets)
            with suppress(ConnectionResetError):
                assert connection.recv(100) == b""
    ends = list(mailnet.events(Stage.DISCONNECT))
    assert {event.reason for event in ends} == {Reason.PROTOCOL_ERROR}
    assert "does not begin with a PROXY header" in ends[0].detail


def test_a_header_from_somebody_else_is_no_header(mailnet, mx):
    mx.server.configure(proxy_from={"198.51.100.0/24"})
    with socket.create_connection((mx.host, mx.port), timeout=10) as connection:
        assert connection.recv(100).startswith(b"220 ")
        connection.sendall(V1)
        assert connection.recv(100).startswith(b"500 ")


def test_a_plain_name_of_a_trait_is_checked(mailnet, mx):
    with pytest.raises(DeclarationError, match="xclient_from"):
        mx.server.configure(xclient_from=5)
