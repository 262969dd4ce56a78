"""What sender authentication costs: SPF, DKIM and DMARC of a message of 10 KiB, and what it costs if nobody asks.

Run it: ``python benchmarks/authentication.py``. It takes some seconds. The checks are measured without sockets, in
a warm process, with the keys and records that an account's domain has; the rest over real SMTP.
"""

from __future__ import annotations

import smtplib
import subprocess
import sys
from email import policy
from email.message import EmailMessage

from measure import Stopwatch, median, print_table, verdict

from fakemail import MailNet

BUDGET = 5.0  # milliseconds of processor time for all three
ROUNDS = 200
MAILS = 300


def letter(size: int) -> bytes:
    """A message of about that many octets."""
    message = EmailMessage(policy.SMTP)
    message["From"], message["To"], message["Subject"] = "ann@shop.test", "bob@example.org", "News"
    message["Message-ID"] = "<1@shop.test>"
    message.set_content("All work and no play makes a dull mail, and so on.\n" * (size // 51))
    return message.as_bytes()


def checks() -> list[tuple[str, float]]:
    """Milliseconds of processor time for each check of one message, and for what it costs to look none up."""
    from fakemail.mta.inbound.sender_auth_results import as_it_came
    from fakemail.policy.transaction_facts import TransactionFacts

    with MailNet() as net:
        ann, bob = net.accounts("ann@shop.test", "bob@example.org")
        with ann.submission.smtplib() as smtp:
            smtp.sendmail(ann.address, [bob.address], letter(10 * 1024))
        net.settle()
        mail = bob.inbox.one()
        if (mail.auth.spf, mail.auth.dkim, mail.auth.dmarc) != ("pass", "pass", "pass"):
            raise SystemExit(f"nothing to measure: {mail.auth!r}")
        internet = net._portal.simulation
        origin, content = mail.envelope.origin, as_it_came(mail.raw)
        spent: dict[str, list[float]] = {"spf": [], "dkim": [], "dmarc": []}
        for _ in range(ROUNDS):
            facts = TransactionFacts(
                mail.received_by.name,
                origin.peer,
                internet.clock.now(),
                internet.resolvers.resolver(mail.received_by.name),
                helo=origin.helo,
                sender=mail.envelope.sender,
                content=content,
            )
            for name, values in spent.items():
                with Stopwatch() as watch:
                    getattr(facts.authentication, name)
                values.append(watch.cpu * 1000)
        return [(name, median(values)) for name, values in spent.items()]


def taken(*, is_judged: bool) -> float:
    """Milliseconds of processor time for taking a message, with and without a domain that asks for something."""
    with MailNet() as net:
        net.accounts("ann@shop.test", "bob@example.org")
        if is_judged:
            net.domain("shop.test").publish(dmarc="v=DMARC1; p=quarantine")
        raw, mx = letter(10 * 1024), net.mx("example.org")
        with smtplib.SMTP(mx.host, mx.port) as smtp:
            for _ in range(20):
                smtp.sendmail("ann@shop.test", ["bob@example.org"], raw)
            with Stopwatch() as watch:
                for _ in range(MAILS):
                    smtp.sendmail("ann@shop.test", ["bob@example.org"], raw)
        return watch.cpu * 1000 / MAILS


def imported() -> str:
    """What of the packages for it a fake internet has loaded that took mail and was not asked."""
    code = (
        "import smtplib, sys\n"
        "from fakemail import MailNet\n"
        "with MailNet() as net:\n"
        "    bob = net.account('bob@example.org')\n"
        "    mx = net.mx('example.org')\n"
        "    with smtplib.SMTP(mx.host, mx.port) as smtp:\n"
        "        smtp.sendmail('a@b.test', [bob.address], b'Subject: x\\r\\n\\r\\nx\\r\\n')\n"
        "    names = ('spftrace', 'dkim', 'publicsuffixlist', 'fakemail.policy.spf', 'fakemail.dkim.dkim_verify')\n"
        "    print(' '.join(name for name in names if name in sys.modules) or 'nothing')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    """Print all figures."""
    rows = checks()
    total = sum(value for _, value in rows)
    print_table(
        "Processor time of the checks of a message of 10 KiB",
        ("check", "ms"),
        [(name, f"{value:.2f}") for name, value in rows] + [("all three", f"{total:.2f}")],
    )
    print(f"  all three, {verdict(total, BUDGET)}")
    plain, judged = taken(is_judged=False), taken(is_judged=True)
    print_table(
        "Processor time of client and server for each message of 10 KiB that is taken",
        ("", "ms"),
        [
            ("no domain asks for anything", f"{plain:.2f}"),
            ("the author's domain asks for quarantine", f"{judged:.2f}"),
        ],
    )
    print(f"\nLoaded for a message that nobody asks about: {imported()}")


if __name__ == "__main__":
    main()
