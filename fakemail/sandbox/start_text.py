"""Text that ``fakemail up`` prints when everything listens."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from fakemail.events.text_layout import columns
from fakemail.sandbox.connection_info import ConnectionInfo, ListeningPort
from fakemail.sandbox.env_file import env_text


def start_text(facts: ConnectionInfo, *, version: str, env_path: str | None) -> str:
    """The whole of it, without the last line that says that it is ready."""
    domains = _count(len(facts.domains), "domain")
    lines = [f"fakemail {version}: {domains}, {_count(len(facts.accounts), 'account')}, seed {facts.seed}"]
    lines += ["", *table(("HOST", "ADDRESS", "SERVICE", "LISTENS ON"), map(_port, facts.ports))]
    lines += ["", *table(("ACCOUNT", "PASSWORD", ""), _logins(facts))]
    lines += ["", "Certificate authority to trust:", f"  {facts.ca_file}"]
    lines += ["", "To try it:", *_examples(facts)]
    lines += ["", f"As variables{f', also in {env_path}' if env_path else ''}:"]
    lines += [f"  {each}" for each in env_text(facts.env()).splitlines()]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> list[str]:
    """Rows under their headings, aligned and indented."""
    return [f"  {each}" for each in columns([head, *rows])]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


_SECURITY = {"starttls": "STARTTLS", "tls": "TLS", "none": ""}


def _port(port: ListeningPort) -> tuple[str, str, str, str]:
    how = "UDP and TCP" if port.service == "dns" else _SECURITY[port.security]
    return port.host, port.public, f"{port.service:11}  {how}".rstrip(), port.endpoint


def _logins(facts: ConnectionInfo) -> Iterator[tuple[str, str, str]]:
    for login in facts.accounts:
        yield login.user, login.password, ""
    yield facts.smarthost.user, facts.smarthost.password, "may send as anybody"


def _examples(facts: ConnectionInfo) -> Iterator[str]:
    """Commands that work as they stand."""
    to = facts.accounts[0].user if facts.accounts else "somebody@example.org"
    sender = facts.accounts[-1].user if facts.accounts else "me@example.org"
    smart, login = facts.submission, facts.smarthost
    yield "  # as an application: log in at the smarthost, which finds the way"
    yield (
        f"  swaks --server {smart.address} --port {smart.port} -tls --auth-user {shlex.quote(login.user)}"
        f" --auth-password {shlex.quote(login.password)} \\"
    )
    yield f"        --from {shlex.quote(sender)} --to {shlex.quote(to)}"
    if facts.mx is not None:
        mail = "'Subject: Hi\\n\\nHello!'"
        code = (
            f"import smtplib; smtplib.SMTP('{facts.mx.address}', {facts.mx.port})"
            f".sendmail({sender!r}, {to!r}, {mail})"
        )
        yield f"  # as another mail server: straight to {facts.mx.host}"
        yield f'  python3 -c "{code}"'
    if facts.accounts:
        who = facts.accounts[0]
        for service, path in (("imaps", "INBOX;MAILINDEX=1"), ("pop3s", "1")):
            port = facts.reading.get(service)
            if port is not None:
                url = f"{service}://{port.endpoint}/{path}"
                yield f"  # as {who.user}: read the first message by {service.removesuffix('s').upper()}"
                yield (
                    f"  curl --cacert {shlex.quote(facts.ca_file)}"
                    f" --user {shlex.quote(f'{who.user}:{who.password}')} {shlex.quote(url)}"
                )
    if facts.domains:
        yield "  # as anybody: ask DNS"
        yield f"  dig @{facts.dns.address} -p {facts.dns.port} +short {facts.domains[0]} MX"
