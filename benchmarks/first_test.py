"""What the first test of a process costs: imports, authority, a world and one mail; fakemail beside smtpdfix.

Run it in a virtual environment of its own, since smtpdfix brings a pytest plugin:
``pip install -e '.[bench]'``, then ``python benchmarks/first_test.py``. It takes some 20 seconds.

Each figure is the processor time of an interpreter that has just been started. The candidates take turns, and one
round before the first lets Python write its bytecode. The command is compared with an interpreter that does nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec

from measure import median, print_table, verdict

ROUNDS = 9
IMPORT_SHARE = 0.4
FIRST_SHARE = 0.5
COMMAND_TIMES = 4

_MAIL = """
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "shop@shop.test", "bob@example.org", "Welcome, Bob"
mail["Message-ID"] = "<1@shop.test>"
mail.set_content("Hello Bob")
"""
_FAKEMAIL = f"""{_MAIL}
from fakemail import MailNet
with MailNet() as mailnet:
    bob = mailnet.account("bob@example.org")
    mx = mailnet.mx("example.org")
    with smtplib.SMTP(mx.host, mx.port) as client:
        client.send_message(mail)
    assert bob.inbox.one().subject == "Welcome, Bob"
"""
# Its fixture makes a certificate at the first test of a run.
_SMTPDFIX = f"""{_MAIL}
import os, tempfile
from pathlib import Path
from smtpdfix import SMTPDFix
from smtpdfix.certs import _generate_certs
certificate, _ = _generate_certs(Path(tempfile.mkdtemp()), separate_key=False)
os.environ["SMTPD_SSL_CERTIFICATE_FILE"] = str(certificate)
with SMTPDFix() as smtpd:
    with smtplib.SMTP(smtpd.hostname, smtpd.port) as client:
        client.send_message(mail)
    assert smtpd.messages[0]["Subject"] == "Welcome, Bob"
"""
_VERSION = "import sys; sys.argv[1:] = ['--version']; from fakemail.sandbox.cli import main; main()"
_TOLD = "import atexit, sys, time; atexit.register(lambda: print(time.process_time(), file=sys.stderr))\n"

PROGRAMS = {
    "bare interpreter": "",
    "fakemail --version": _VERSION,
    "import fakemail": "import fakemail",
    "import MailNet": "from fakemail import MailNet",
    "fakemail, first test": _FAKEMAIL,
}
PEER_PROGRAMS = {"import smtpdfix": "import smtpdfix", "smtpdfix, first test": _SMTPDFIX}


def processor_time(program: str, environment: dict[str, str]) -> float:
    """Milliseconds that a new interpreter takes, its own start included."""
    done = subprocess.run(
        [sys.executable, "-c", _TOLD + program],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stderr.split()[-1]) * 1e3


def main() -> None:
    """Print one table."""
    has_peer = find_spec("smtpdfix") is not None
    if not has_peer:
        print("smtpdfix is not installed here, so there is nothing to compare with.")
    programs = {**PROGRAMS, **(PEER_PROGRAMS if has_peer else {})}
    times: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(ROUNDS + 1):
            for name, program in programs.items():
                taken = processor_time(program, environment)
                if number:
                    times[name].append(taken)
    cost = {name: median(taken) for name, taken in times.items()}
    bare = cost["bare interpreter"]

    def against(name: str, peer: str, limit: float, start: float = bare) -> str:
        if peer not in cost:
            return ""
        share = (cost[name] - start) / (cost[peer] - start)
        return f"{share:.2f} of {peer}; {verdict(share, limit)}"

    said = {
        "fakemail --version": against("fakemail --version", "bare interpreter", COMMAND_TIMES, 0.0),
        "import fakemail": against("import fakemail", "import smtpdfix", IMPORT_SHARE),
        "import MailNet": against("import MailNet", "import smtpdfix", IMPORT_SHARE),
        "fakemail, first test": against("fakemail, first test", "smtpdfix, first test", FIRST_SHARE),
    }
    print_table(
        "The first test of a process (milliseconds of processor time, medians)",
        ["", "whole process", "above the bare interpreter", "beside"],
        [[name, f"{taken:.0f}", f"{taken - bare:.0f}", said.get(name, "")] for name, taken in cost.items()],
    )


if __name__ == "__main__":
    main()
