"""Real programs as IMAP clients: curl, mbsync, getmail, fetchmail. A second run finds nothing to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fakemail import Account, MailNet, Settings, Stage, samples

pytestmark = pytest.mark.interop


@pytest.fixture
def net():
    with MailNet() as mailnet:
        yield mailnet


@pytest.fixture
def bob(net) -> Account:
    bob = net.account("bob@example.org", password="s3cret")
    for subject in ("one", "two"):
        bob.inbox.put(f"From: ann@example.org\nSubject: {subject}\n\nText of {subject}.\n")
    return bob


def run(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


# curl ---------------------------------------------------------------------------------------------


def curl(
    program: Callable[[str], str], settings: Settings, path: str, *options: str, login: bool = True
) -> str:
    return run(
        program("curl"),
        *("--silent", "--show-error", "--ssl-reqd"),
        *("--cacert", settings.ca_file),
        *("--user", f"{settings.username}:{settings.password}" if login else f"{settings.username}:"),
        *options,
        f"{settings.url.partition('://')[0]}://{settings.host}:{settings.port}/{path}",
    )


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_curl_lists_searches_and_fetches(bob, program, service):
    settings = getattr(bob, service)
    listed = curl(program, settings, "").splitlines()
    assert sorted(line.split()[-1] for line in listed) == [
        "Archive",
        "Drafts",
        "INBOX",
        "Junk",
        "Sent",
        "Trash",
    ]
    assert curl(program, settings, "INBOX?SUBJECT%20two") == "* SEARCH 2\n"
    assert curl(program, settings, "INBOX;UID=2/;SECTION=TEXT") == "Text of two.\n"
    assert curl(program, settings, "INBOX;MAILINDEX=1").endswith("\n\nText of one.\n")
    assert [mail.flags for mail in bob.inbox] == [{"\\Seen"}, {"\\Seen"}]


def test_curl_appends_and_gives_commands(bob, program, tmp_path):
    message = tmp_path / "message"
    message.write_bytes(samples.plain(subject="Stored"))
    curl(program, bob.imaps, "Sent", "--upload-file", str(message))
    assert bob.folder("Sent").one().raw == message.read_bytes()
    curl(program, bob.imaps, "INBOX", "--request", r"STORE 1 +FLAGS (\Deleted)")
    assert bob.inbox[0].flags == {"\\Deleted"}
    assert curl(program, bob.imaps, "INBOX", "--request", "EXPUNGE") == "* 1 EXPUNGE\n"
    assert curl(program, bob.imaps, "INBOX", "--request", "EXAMINE INBOX").count("EXISTS") == 1
    assert bob.inbox.one().subject == "two"


@pytest.mark.parametrize("mechanism", ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5"])
def test_curl_logs_in(net, bob, program, mechanism):
    bob.imaps.server.configure(auth_mechanisms="all")
    assert curl(program, bob.imaps, "", "--login-options", mechanism)
    assert net.events(Stage.IMAP_AUTHENTICATE)[-1].status == "OK"


def test_curl_with_a_token(net, bob, program):
    assert curl(program, bob.imaps, "", "--oauth2-bearer", bob.token, login=False)
    assert net.events(Stage.IMAP_AUTHENTICATE)[-1].status == "OK"


@pytest.mark.parametrize(
    "kind", ["gmail-like", "outlook-like", "yahoo-like", "minimal", "rev1_only", "strict"]
)
def test_curl_with_every_kind_of_server(bob, program, kind):
    bob.imaps.server.configure(imap=kind)
    assert curl(program, bob.imaps, "INBOX?ALL") == "* SEARCH 1 2\n"


# mbsync -------------------------------------------------------------------------------------------


class Mbsync:
    """A maildir at home that is kept like the account, folder by folder.

    It compares certificates with host names only, and not with addresses.
    """

    def __init__(self, program: Callable[[str], str], settings: Settings, home: Path) -> None:
        self._program = program("mbsync")
        self._config = home / "mbsyncrc"
        self.home = home / "mail"
        self.home.mkdir()
        implicit = settings.security == "tls"
        settings = settings.localhost
        self._config.write_text(f"""
IMAPAccount there
Host {settings.host}
Port {settings.port}
User {settings.username}
Pass {settings.password}
SSLType {"IMAPS" if implicit else "STARTTLS"}
SystemCertificates no
CertificateFile {settings.ca_file}

IMAPStore there
Account there

MaildirStore here
Path {self.home}/
Inbox {self.home}/INBOX
SubFolders Verbatim

Channel mail
Far :there:
Near :here:
Patterns *
Create Both
Expunge Both
SyncState *
""")

    def sync(self) -> str:
        """Synchronise everything; what it says at the end: counts of what it did."""
        return run(self._program, "--config", str(self._config), "--verbose", "--all")

    def mails(self, folder: str = "INBOX") -> dict[str, str]:
        """Flags by subject."""
        found = {}
        for path in [*self.home.glob(f"{folder}/cur/*"), *self.home.glob(f"{folder}/new/*")]:
            [subject] = [line[9:] for line in path.read_text().splitlines() if line.startswith("Subject: ")]
            found[subject] = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
        return found

    def path(self, subject: str) -> Path:
        [path] = [path for path in self.home.glob("INBOX/*/*") if f"Subject: {subject}\n" in path.read_text()]
        return path


@pytest.mark.parametrize("service", [pytest.param("imap", marks=pytest.mark.slow), "imaps"])
def test_mbsync_both_ways(net, bob, program, tmp_path, service):
    mbsync = Mbsync(program, getattr(bob, service), tmp_path)
    mbsync.sync()
    assert mbsync.mails() == {"one": "", "two": ""}
    assert {path.name for path in mbsync.home.iterdir()} == {
        *("INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash")
    }

    # Nothing to do: no message and no flag travels.
    before = len(net.events())
    mbsync.sync()
    done = list(net.events())[before:]
    assert not {event.stage for event in done} & {Stage.IMAP_APPEND, Stage.IMAP_STORE, Stage.IMAP_EXPUNGE}
    assert not [event for event in done if event.stage is Stage.IMAP_FETCH and "BODY" in event.line]

    # There: new mail by SMTP, a flag, one moved. Here: a flag, a new message.
    with net.mx("example.org").smtplib() as smtp:
        smtp.sendmail("ann@example.org", [bob.address], samples.plain(subject="three"))
    with bob.imaps.imaplib() as client:
        client.select()
        client.store("1", "+FLAGS", r"(\Flagged)")
    two = mbsync.path("two")
    two.rename(mbsync.home / "INBOX" / "cur" / f"{two.name.partition(':')[0]}:2,RS")
    draft = mbsync.home / "Drafts" / "new" / "1.draft"
    draft.write_text("Subject: written at home\n\nTo be sent.\n")
    mbsync.sync()
    assert mbsync.mails() == {"one": "F", "two": "RS", "three": ""}
    assert [mail.flags for mail in bob.inbox] == [{"\\Flagged"}, {"\\Answered", "\\Seen"}, set()]
    assert bob.folder("Drafts").one().subject == "written at home"

    # Deleted here and there.
    mbsync.path("two").unlink()
    with bob.imaps.imaplib() as client:
        client.select()
        client.store("1", "+FLAGS", r"(\Deleted)")
    mbsync.sync()
    assert [mail.subject for mail in bob.inbox] == ["three"]
    mbsync.sync()
    assert mbsync.mails() == {"three": ""}


def test_mbsync_with_names_beyond_ascii(bob, program, tmp_path):
    bob.folder("Entwürfe/Größe").put(samples.plain(subject="far"))
    mbsync = Mbsync(program, bob.imaps, tmp_path)
    mbsync.sync()
    (folder,) = [path.parent for path in mbsync.home.glob("*/*/cur")]
    assert mbsync.mails(str(folder.relative_to(mbsync.home))) == {"far": ""}


def test_an_address_is_no_name_for_mbsync(bob, program, tmp_path):
    class ByAddress:
        def __init__(self, settings):
            self.localhost = self.settings = settings
            self.security = settings.security

    mbsync = Mbsync(program, ByAddress(bob.imaps), tmp_path)
    done = subprocess.run(
        [program("mbsync"), "--config", str(mbsync._config), "--all"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "certificate" in done.stderr
    assert done.returncode != 0


# offlineimap --------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_offlineimap_compares_names(bob, program, tmp_path, service):
    offlineimap, settings = program("offlineimap"), getattr(bob, service).localhost
    config = tmp_path / "offlineimaprc"
    config.write_text(f"""
[general]
accounts = bob
metadata = {tmp_path}/state

[Account bob]
localrepository = here
remoterepository = there

[Repository here]
type = Maildir
localfolders = {tmp_path}/mail

[Repository there]
type = IMAP
remotehost = {settings.host}
remoteport = {settings.port}
remoteuser = {settings.username}
remotepass = {settings.password}
ssl = {"yes" if service == "imaps" else "no"}
starttls = {"no" if service == "imaps" else "yes"}
sslcacertfile = {settings.ca_file}
""")
    run(offlineimap, "-c", str(config), "-o", "-u", "quiet")
    mails = [path.read_text() for path in tmp_path.glob("mail/INBOX/*/*")]
    assert sorted(each.partition("Text of ")[2].strip() for each in mails) == ["one.", "two."]


# getmail and fetchmail ----------------------------------------------------------------------------


def test_getmail_gets_only_what_is_new(bob, program, tmp_path):
    getmail, settings = program("getmail"), bob.imaps
    folder = tmp_path / "mail"
    folder.mkdir()
    (tmp_path / "getmailrc").write_text(f"""
[retriever]
type = SimpleIMAPSSLRetriever
server = {settings.host}
port = {settings.port}
username = {settings.username}
password = {settings.password}
ca_certs = {settings.ca_file}
mailboxes = ("INBOX", "Archive")

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > {folder}/$$")
allow_root_commands = true

[options]
read_all = false
delete = false
delivered_to = false
received = false
""")

    def fetched(*options: str) -> list[str]:
        run(getmail, f"--getmaildir={tmp_path}", *options)
        texts = [path.read_text() for path in folder.iterdir()]
        return sorted(
            line.split()[1] for text in texts for line in text.splitlines() if line.startswith("Subject:")
        )

    assert fetched() == ["one", "two"]
    assert fetched() == ["one", "two"]
    bob.inbox.put("From: ann@example.org\nSubject: three\n\n")
    bob.folder("Archive").put("From: ann@example.org\nSubject: kept\n\n")
    assert fetched("--delete") == ["kept", "one", "three", "two"]
    assert bob.inbox.is_empty
    assert bob.folder("Archive").is_empty


def test_fetchmail_hands_mail_on_by_smtp_and_deletes_it(net, bob, program, tmp_path):
    fetchmail, settings = program("fetchmail"), bob.imap.localhost
    ann = net.account("ann@shop.test")
    mx = net.mx("shop.test")
    config = tmp_path / "fetchmailrc"
    config.write_text(f"""
poll bob via {settings.host} service {settings.port} proto imap
  user "{settings.username}" password "{settings.password}" is "ann" here
  sslproto "auto" sslcertck sslcertfile "{settings.ca_file}"
  smtphost "{mx.host}/{mx.port}" smtpname "{ann.address}"
""")
    config.chmod(0o600)
    run(
        fetchmail,
        *("--nodetach", "--nosyslog", "--fetchmailrc", str(config), "--pidfile", str(tmp_path / "pid")),
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert [mail.subject for mail in ann.inbox] == ["one", "two"]
    assert bob.inbox.is_empty
