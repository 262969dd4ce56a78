"""Programs with their plain defaults: they find names, ports and authorities of the fake internet by themselves."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from namespaces import require_namespaces

pytestmark = pytest.mark.interop

PASSWORD = "s3cret"

NODE = """
const nodemailer = require('nodemailer');
nodemailer.createTransport({host: 'smtp.shop.test', port: 587, auth: {user: 'hello@shop.test', pass: 's3cret'}})
  .sendMail({from: 'hello@shop.test', to: 'bob@example.org', subject: 'From Node', text: 'Hello.'})
  .then(done => console.log(done.response), error => { console.error(error); process.exit(1); });
"""

JAVA = """
import java.io.*;
import java.net.*;
import java.util.Hashtable;
import javax.naming.directory.*;
import javax.net.ssl.*;

public class Mail {
    public static void main(String[] args) throws Exception {
        Hashtable<String, String> settings = new Hashtable<>();
        settings.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        Attribute mx = new InitialDirContext(settings).getAttributes("example.org", new String[] {"MX"}).get("MX");
        System.out.println(mx.get());
        SSLSocket socket = (SSLSocket) SSLSocketFactory.getDefault().createSocket("smtp.shop.test", 465);
        SSLParameters strict = socket.getSSLParameters();
        strict.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(strict);
        socket.startHandshake();
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
        System.out.println(in.readLine());
        socket.getOutputStream().write("QUIT\\r\\n".getBytes());
        System.out.println(in.readLine());
    }
}
"""


@pytest.fixture
def run(mailnet):
    require_namespaces()

    def run(*command: str, stdin: str = "") -> str:
        done = mailnet.run(command, input=stdin, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def shop(mailnet):
    return mailnet.account("hello@shop.test", password=PASSWORD)


@pytest.fixture
def bob(mailnet):
    return mailnet.account("bob@example.org", password=PASSWORD)


def test_dig(run, bob, program):
    assert run(program("dig"), "+short", "mx", "example.org") == "10 mx1.example.org.\n"


def test_swaks_finds_the_mail_host_by_itself(run, bob, program):
    run(program("swaks"), "--to", bob.address, "--from", "hello@shop.test", "--header", "Subject: From swaks")
    assert bob.inbox.wait_for_one().subject == "From swaks"


def test_curl(run, shop, bob, program):
    run(
        program("curl"),
        *("--silent", "--show-error", "--ssl-reqd", "--crlf", "--url", "smtp://smtp.shop.test:587"),
        *("--user", f"{shop.address}:{PASSWORD}", "--mail-from", shop.address, "--mail-rcpt", bob.address),
        *("--upload-file", "-"),
        stdin="Subject: From curl\n\nHello.\n",
    )
    assert bob.inbox.wait_for_one().subject == "From curl"


def test_msmtp(run, shop, bob, program, tmp_path):
    config = tmp_path / "msmtprc"
    config.write_text(
        "account shop\nhost smtp.shop.test\nport 587\nauth on\ntls on\nfrom hello@shop.test\n"
        f"user hello@shop.test\npassword {PASSWORD}\naccount default : shop\n"
    )
    config.chmod(0o600)
    run(program("msmtp"), "-C", str(config), bob.address, stdin="Subject: From msmtp\n\nHello.\n")
    assert bob.inbox.wait_for_one().subject == "From msmtp"


def test_mbsync(run, mailnet, bob, program, tmp_path):
    host = mailnet.domain("example.org").imap_host.name
    bob.inbox.put("Subject: Fetched\r\n\r\nHello.\r\n")
    maildir = tmp_path / "mail"
    maildir.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount bob\nHost {host}\nUser {bob.address}\nPass {PASSWORD}\nSSLType IMAPS\n\n"
        "IMAPStore far\nAccount bob\n\n"
        f"MaildirStore near\nPath {maildir}/\nInbox {maildir}/INBOX\n\n"
        "Channel bob\nFar :far:\nNear :near:\nCreate Near\nSync Pull\nSyncState *\n"
    )
    run(program("mbsync"), "-c", str(config), "-a")
    [message] = [*maildir.glob("INBOX/new/*"), *maildir.glob("INBOX/cur/*")]
    assert "Subject: Fetched" in message.read_text()


def test_getmail(run, mailnet, bob, program, tmp_path):
    host = mailnet.domain("example.org").imap_host.name
    bob.inbox.put("Subject: Fetched\r\n\r\nHello.\r\n")
    box = tmp_path / "message"
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = {host}\nusername = {bob.address}\n"
        f"password = {PASSWORD}\n\n[destination]\ntype = MDA_external\npath = /bin/sh\n"
        f'arguments = ("-c", "cat > {box}")\nallow_root_commands = true\n'
        "[options]\ndelivered_to = false\nreceived = false\n"
    )
    run(program("getmail"), "--getmaildir", str(tmp_path))
    assert "Subject: Fetched" in box.read_text()


def test_nodemailer(run, shop, bob, program, tmp_path):
    node = program("node")
    modules = os.environ.get("FAKEMAIL_NODE_MODULES", "")
    if not (modules and Path(modules, "nodemailer").is_dir()):
        reason = "FAKEMAIL_NODE_MODULES names no folder with nodemailer"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; continuous integration has to install it")
        pytest.skip(reason)
    (tmp_path / "node_modules").symlink_to(modules)
    script = tmp_path / "send.js"
    script.write_text(NODE)
    assert "queued as" in run(node, str(script))
    assert bob.inbox.wait_for_one().subject == "From Node"


def test_java(run, shop, bob, program, tmp_path):
    source = tmp_path / "Mail.java"
    source.write_text(JAVA)
    said = run(program("java"), str(source)).splitlines()
    assert said[0] == "10 mx1.example.org."
    assert said[1].startswith("220 smtp.shop.test")
    assert said[2].startswith("221")


def test_openssl_with_its_hashed_directory(run, mailnet, shop, program):
    """By the directory alone, in which OpenSSL looks for a file that is named by a hash of the subject."""
    command = (
        "s_client -connect smtp.shop.test:465 -verify_return_error -verify_hostname smtp.shop.test -brief"
    )
    files = "-no-CAfile -no-CAstore -CApath /etc/ssl/certs"
    run(program("openssl"), *command.split(), *files.split(), stdin="QUIT\n")
    hashed = run(program("openssl"), "x509", "-hash", "-noout", "-in", mailnet.ca_file).strip()
    own = run("cat", f"/etc/ssl/certs/{hashed}.0")
    assert own == Path(mailnet.ca_file).read_text()
    assert not Path(f"/etc/ssl/certs/{hashed}.0").exists()


def test_imapfilter(run, mailnet, bob, program, tmp_path):
    host = mailnet.domain("example.org").imap_host.name
    bob.inbox.put("Subject: Found\r\n\r\nHello.\r\n")
    config = tmp_path / "config.lua"
    config.write_text(
        f"account = IMAP {{ server = '{host}', username = '{bob.address}', password = '{PASSWORD}', ssl = 'auto' }}\n"
        "found = account.INBOX:contain_subject('Found')\nprint(#found)\n"
    )
    (tmp_path / ".imapfilter").mkdir()
    done = mailnet.run(
        [program("imapfilter"), "-c", str(config)],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


PHP = """
$context = stream_context_create(['ssl' => ['capath' => '/etc/ssl/certs', 'verify_peer' => true]]);
$stream = stream_socket_client('ssl://smtp.shop.test:465', $number, $text, 10, STREAM_CLIENT_CONNECT, $context);
echo fgets($stream);
"""


def test_php_with_a_directory_of_authorities(run, shop, program):
    assert run(program("php"), "-n", "-r", PHP).startswith("220 smtp.shop.test")


def test_output_of_a_program_is_its_own(mailnet, bob):
    require_namespaces()
    done = mailnet.run(["sh", "-c", "echo out; echo err >&2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_the_command_of_the_readme(program):
    """As it stands there, with this test's Python in the place of the newcomer's."""
    require_namespaces()
    program("dig")
    program("swaks")
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    [line] = [line for line in readme.splitlines() if ".venv/bin/fakemail run" in line]
    command = line.replace(".venv/bin/fakemail", f"{shlex.quote(sys.executable)} -m fakemail")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10 mx1.example.org.\n")
    assert "250 2.0.0 delivered as" in done.stdout
