"""Real programs as SMTP and DNS clients: curl, swaks, dig."""

from __future__ import annotations

import subprocess

import pytest

from fakemail import MailNet, Stage

pytestmark = pytest.mark.interop


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


MAIL = "From: hello@shop.test\nTo: bob@example.org\nSubject: {subject}\n\n.a line with a dot\n"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_curl_logs_in_and_sends(net, program, mechanism):
    curl = program("curl")
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    settings = shop.submission
    settings.server.configure(auth_mechanisms="all")
    done = run(
        curl,
        "--silent",
        "--show-error",
        "--ssl-reqd",
        *("--cacert", settings.ca_file),
        *("--url", f"smtp://{settings.host}:{settings.port}/client.test"),
        *("--user", f"{settings.username}:{settings.password}"),
        *("--login-options", f"AUTH={mechanism}"),
        *("--mail-from", shop.address),
        *("--mail-rcpt", bob.address),
        *("--upload-file", "-"),
        stdin=MAIL.format(subject=mechanism).replace("\n", "\r\n"),
    )
    assert done.returncode == 0, done.stderr
    mail = bob.inbox.wait_for_one()
    assert mail.subject == mechanism
    assert mail.text == ".a line with a dot\n"


def test_curl_with_implicit_tls(net, program):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    settings = shop.submissions
    done = run(
        program("curl"),
        "--silent",
        "--show-error",
        *("--cacert", settings.ca_file),
        *("--url", settings.url),
        *("--mail-from", shop.address),
        *("--mail-rcpt", bob.address),
        *("--upload-file", "-"),
        stdin=MAIL.format(subject="tls").replace("\n", "\r\n"),
    )
    assert done.returncode == 0, done.stderr
    assert bob.inbox.wait_for_one().subject == "tls"


def test_curl_refuses_a_certificate_it_does_not_trust(net, program):
    shop = net.account("hello@shop.test")
    settings = shop.submission
    url = f"smtp://{settings.host}:{settings.port}"
    done = run(program("curl"), "--silent", "--show-error", "--ssl-reqd", "--url", url)
    assert done.returncode == 60
    handshake = net.wait_for(Stage.TLS_HANDSHAKE).one()
    assert (handshake.refused_by, handshake.alert) == ("client", "unknown_ca")


def test_swaks_talks_to_the_mx_with_pipelining_and_tls(net, program):
    bob = net.account("bob@example.org")
    settings = net.mx("example.org")
    done = run(
        program("swaks"),
        *("--server", settings.host),
        *("--port", str(settings.port)),
        "--tls",
        "--pipeline",
        *("--from", "me@x.example"),
        *("--to", f"{bob.address},gone@example.org"),
        *("--header", "Subject: from swaks"),
    )
    assert "<~* 550 5.1.1 <gone@example.org>: no such user here" in done.stdout, done.stdout
    mail = bob.inbox.wait_for_one()
    assert (mail.subject, mail.tls) == ("from swaks", "TLSv1.3")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks_logs_in(net, program, mechanism):
    shop, bob = net.accounts("hello@shop.test", "bob@example.org")
    shop.submission.server.configure(auth_mechanisms="all")
    done = run(
        program("swaks"),
        *("--server", shop.submission.host),
        *("--port", str(shop.submission.port)),
        "--tls",
        *("--auth", mechanism),
        *("--auth-user", shop.address),
        *("--auth-password", shop.password),
        *("--from", shop.address),
        *("--to", bob.address),
    )
    assert done.returncode == 0, done.stdout
    bob.inbox.wait_for_one()


def test_dig_sees_the_zones(net, program):
    dig = program("dig")
    net.domain("example.org").set_mx("mx1", "mx2")
    net.dns.add("big.example.org", "TXT", *("x" * 250 + str(number) for number in range(20)))
    where = [f"@{net.dns.host}", "-p", str(net.dns.port)]
    assert (
        run(dig, *where, "+short", "MX", "example.org").stdout == "10 mx1.example.org.\n20 mx2.example.org.\n"
    )
    assert "status: NXDOMAIN" in run(dig, *where, "MX", "nowhere.test").stdout
    truncated = run(dig, *where, "+bufsize=512", "TXT", "big.example.org").stdout
    assert ";; Truncated, retrying in TCP mode." in truncated
    assert truncated.count("IN\tTXT") == 21  # the question as well
    assert [query.transport for query in net.dns.queries(name="big.example.org")] == ["udp", "tcp"]
    assert "BADVERS" in run(dig, *where, "+edns=1", "+noednsnegotiation", "MX", "example.org").stdout


def test_dig_transfers_a_zone(net, program):
    dig = program("dig")
    net.domain("example.org")
    where = [f"@{net.dns.host}", "-p", str(net.dns.port), "example.org", "AXFR"]
    assert "; Transfer failed." in run(dig, *where).stdout
    net.dns.allow_transfer("example.org", "app")
    for number in range(800):
        net.dns.add(f"host{number}.example.org", "TXT", "x" * 50)
    found = run(dig, *where, "+noall", "+answer").stdout.splitlines()
    assert found[0] == found[-1]
    assert "SOA" in found[0].split()
    assert (
        len(found)
        == len(net._portal.simulation.zones.records())
        - sum(not each.name.endswith("example.org") for each in net._portal.simulation.zones.records())
        + 1
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_gnu_sasl_logs_in(net, program, mechanism):
    settings = net.account("hello@shop.test").submission
    settings.server.configure(auth_mechanisms="all")
    done = run(
        program("gsasl"),
        "--smtp",
        "--verbose",
        "--no-cb",  # its channel binding is tls-exporter, ours tls-server-end-point
        f"--connect={settings.host}:{settings.port}",
        f"--mechanism={mechanism}",
        f"--authentication-id={settings.username}",
        f"--password={settings.password}",
        f"--x509-ca-file={settings.ca_file}",
        f"--hostname={settings.server.name}",
        stdin="\n",
    )
    assert done.returncode == 0, done.stderr
    (last,) = [event for event in net.events(Stage.SMTP_AUTH) if event.reply.code == 235]
    assert last.host == "smtp.shop.test"


def test_swaks_says_with_xclient_for_whom_it_speaks(net, program):
    bob = net.account("bob@example.org")
    mx = net.mx("example.org")
    mx.server.configure(xclient_from={"app"})
    done = run(
        program("swaks"),
        *("--server", mx.host, "--port", str(mx.port), "--ehlo", "client.test"),
        *("--from", "ann@else.test", "--to", bob.address, "--silent", "3"),
        *("--xclient-addr", "203.0.113.77", "--xclient-name", "mail.else.test", "--xclient-port", "4711"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(mail.else.test [203.0.113.77])" in bob.inbox.wait_for_one().headers["Received"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_swaks_speaks_the_proxy_protocol(net, program, version):
    bob = net.account("bob@example.org")
    mx = net.mx("example.org")
    mx.server.configure(proxy_from={"app"})
    family = "TCP4" if version == "1" else "AF_INET"
    done = run(
        program("swaks"),
        *("--server", mx.host, "--port", str(mx.port), "--ehlo", "client.test"),
        *("--from", "ann@else.test", "--to", bob.address, "--silent", "3"),
        *("--proxy-version", version, "--proxy-family", family),
        *("--proxy-source", "203.0.113.77", "--proxy-source-port", "4711"),
        *("--proxy-dest", "198.51.100.2", "--proxy-dest-port", "25"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[203.0.113.77]" in bob.inbox.wait_for_one().headers["Received"]
    assert f"PROXY v{version} of app" in net.transcript()


def test_mutt_logs_in_without_being_told_how(net, program, tmp_path):
    """It sends by SMTP and files a copy by IMAP, each with the mechanism that it finds best."""
    shop, bob = net.accounts("hello@example.net", "bob@example.org")
    smtp, imap = shop.submission, shop.imaps
    (tmp_path / "muttrc").write_text(
        f"""
set from = "{shop.address}"
set ssl_ca_certificates_file = "{smtp.ca_file}"
set ssl_force_tls = yes
set ssl_verify_host = no
set smtp_url = "smtp://{smtp.username}@{smtp.host}:{smtp.port}/"
set smtp_pass = "{smtp.password}"
set imap_user = "{imap.username}"
set imap_pass = "{imap.password}"
set record = "imaps://{imap.host}:{imap.port}/Sent"
"""
    )
    done = run(
        *(program("mutt"), "-n", "-F", str(tmp_path / "muttrc"), "-s", "from mutt", "--", bob.address),
        stdin="Hello\n",
    )
    assert done.returncode == 0, done.stdout + done.stderr + net.transcript()
    assert bob.inbox.wait_for_one().subject == "from mutt"
    assert shop.folder("Sent").one().subject == "from mutt"
    assert net.events(Stage.SMTP_AUTH)[-1].reply.code == 235
