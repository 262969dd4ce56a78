"""The rules of the architecture: import contracts, and habits that a reader of the syntax tree can see.

The contracts themselves are in ``pyproject.toml``; ``docs/background/architecture.md`` tells why.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import fakemail

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("fakemail/**/*.py"), *ROOT.glob("pytest_plugin/pytest_fakemail/**/*.py")])
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in a file; found once, since most of the time of these tests would go into that."""
    return list(ast.walk(tree(path)))


@cache
def calls(path: Path) -> list[tuple[int, str]]:
    """Every call in a file: its line and what is called, with dots."""
    return [(node.lineno, dotted(node.func)) for node in nodes(path) if isinstance(node, ast.Call)]


def dotted(node: ast.expr) -> str:
    """A name with what stands behind its dots; of what is no name, nothing."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every absolute module that a file imports from, anywhere in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def where(found: Iterator[tuple[str, int, str]]) -> str:
    return "\n".join(f"{name}:{line}: {what}" for name, line, what in found)


def offences(wrong, *, except_in: tuple[str, ...] = ()) -> str:
    """What ``wrong`` (a function from a file to lines and words) finds outside the excepted files."""
    return where(
        (name, line, what)
        for name, path in zip(NAMES, FILES, strict=True)
        if not name.startswith(except_in or ("\0",))
        for line, what in wrong(path)
    )


def test_there_is_something_to_look_at():
    assert "fakemail/clock.py" in NAMES
    assert "pytest_plugin/pytest_fakemail/__init__.py" in NAMES


def test_import_contracts_are_kept():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(lint), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_clock_reads_the_time():
    def wrong(path):
        return (
            (line, name)
            for line, name in calls(path)
            if name.endswith(("datetime.now", "datetime.utcnow", "date.today", "datetime.today"))
            or name in ("time.time", "time.time_ns", "time", "time_ns")
        )

    assert offences(wrong, except_in=("fakemail/clock.py",)) == ""


def test_only_the_ids_are_left_to_chance():
    def wrong(path):
        return (
            (line, name)
            for line, name in imports(path)
            if name.partition(".")[0] in ("random", "secrets", "uuid")
        )

    assert offences(wrong, except_in=("fakemail/types/seeded_random.py",)) == ""


def test_only_the_supervisor_makes_tasks():
    def wrong(path):
        return (
            (line, name)
            for line, name in calls(path)
            if name.rpartition(".")[2] in ("create_task", "ensure_future")
        )

    assert offences(wrong, except_in=("fakemail/wire/supervisor.py",)) == ""


def test_nothing_is_asserted_barely():
    # pytest rewrites a bare assert of an editable install and not one of a wheel.
    def wrong(path):
        return ((node.lineno, ast.unparse(node)) for node in nodes(path) if isinstance(node, ast.Assert))

    assert offences(wrong) == ""


def test_nobody_sleeps():
    def wrong(path):
        return ((line, name) for line, name in calls(path) if name in ("time.sleep", "sleep"))

    assert offences(wrong) == ""


def test_imports_are_absolute():
    def wrong(path):
        return ((line, name) for line, name in imports(path) if name.startswith("."))

    assert offences(wrong) == ""


def test_packages_hold_a_docstring_and_nothing_else():
    """Only ``fakemail/__init__.py`` re-exports; ``fakemail.faults`` is public too; the plugin's is its entry point."""
    public = ("fakemail/__init__.py", "fakemail/faults/__init__.py")
    wrong = [
        name
        for name, path in zip(NAMES, FILES, strict=True)
        if path.name == "__init__.py" and name.startswith("fakemail/") and name not in public
        if not (len(tree(path).body) == 1 and ast.get_docstring(tree(path)))
    ]
    assert wrong == []


def test_a_module_says_what_lives_in_it():
    silent = [name for name, path in zip(NAMES, FILES, strict=True) if not ast.get_docstring(tree(path))]
    assert silent == []


def test_no_drawer_for_everything():
    assert [name for name in NAMES if Path(name).stem in ("utils", "util", "helpers", "misc", "common")] == []


def test_a_class_name_stands_once():
    places: dict[str, list[str]] = {}
    for name, path in zip(NAMES, FILES, strict=True):
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_importing_the_plugin_imports_no_server():
    """The plugin is loaded by every pytest run of its environment."""
    code = (
        "import sys, pytest, pytest_fakemail; "
        "print([name for name in ('aiosmtpd', 'dns', 'dnslib', 'trustme', 'cryptography', 'fakemail.wire')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_loaded_from_where_type_checkers_see_them():
    tree = ast.parse(Path(fakemail.__file__).read_text("utf-8"))
    seen = {
        each.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
        if each.name in fakemail.__all__
    }
    loaded = {**fakemail._MODULE_OF, **{n: m.rpartition(".")[0] for n, m in fakemail._SUBMODULES.items()}}
    assert loaded == seen
    assert set(seen) == set(fakemail.__all__)


def test_dataclasses_are_made_by_the_decorator_that_compiles_late():
    plain = [
        name
        for name, path in zip(NAMES, FILES, strict=True)
        if name.startswith("fakemail/") and name != "fakemail/types/dataclass.py"
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if "dataclass" in {each.name for each in node.names}
    ]
    assert plain == []


@pytest.mark.parametrize("code", ["import fakemail", "import fakemail.sandbox.cli"])
def test_the_package_and_its_command_line_load_nothing_that_they_do_not_call(code):
    code = f"{code}; import sys; print(*(name for name in sys.modules if name.startswith('fakemail')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"fakemail", "fakemail.sandbox", "fakemail.sandbox.cli"}


def test_a_plain_mail_loads_only_what_it_needs():
    code = """
import smtplib, sys
from fakemail import MailNet

with MailNet() as net:
    bob = net.account("bob@example.org")
    mx = net.mx("example.org")
    with smtplib.SMTP(mx.host, mx.port) as smtp:
        smtp.sendmail("ann@shop.test", ["bob@example.org"], b"Subject: News\\r\\n\\r\\nHello\\r\\n")
    print(len(bob.inbox), *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *loaded = done.stdout.split()
    assert count == "1"
    unneeded = {
        *("dkim", "nacl", "authres", "spf", "spftrace", "publicsuffixlist", "dns.message", "sysconfig"),
        *(
            "fakemail.intercept",
            "fakemail.mta.inbound.policy_evaluation",
            "fakemail.policy.authentication",
            "fakemail.policy.spf",
        ),
        *("fakemail.policy.checks", "fakemail.policy.content", "fakemail.policy.deliverability"),
        *("fakemail.policy.suffixes", "fakemail.wire.scanning", "fakemail.wire.proxy", "fakemail.sandbox"),
        "fakemail.faults.dns_injector",
        *("cryptography", "trustme", "dns", "h11", "click", "html.parser", "tomllib"),
        *("fakemail.api.config", "fakemail.model.description", "fakemail.model.toml"),
        *("fakemail.api.sweep", "fakemail.sweep", "fakemail.lint.finding", "fakemail.api.mail_files"),
        *(
            "fakemail.api.deliverability",
            "fakemail.api.redirection",
            "fakemail.sasl.mechanisms",
            "fakemail.sasl.scram",
        ),
        *("fakemail.dns.dnssec", "fakemail.dns.nsec", "fakemail.imap.session", "fakemail.pop3.session"),
        *("fakemail.message.otp", "fakemail.message.html_text", "fakemail.message.reports.bounce_styles"),
        *("fakemail.mta.outbound.bounces", "fakemail.wire.https_server", "fakemail.wire.https_client"),
    }
    assert unneeded & set(loaded) == set()
    # A limit that is met asks whether a new import belongs into the function that opens its area.
    assert sum(name.startswith("fakemail") for name in loaded) <= 260


def test_a_plain_mail_compiles_few_methods_of_dataclasses():
    code = """
import smtplib
from fakemail import MailNet

with MailNet() as net:
    bob = net.account("bob@example.org")
    mx = net.mx("example.org")
    with smtplib.SMTP(mx.host, mx.port) as smtp:
        smtp.sendmail("ann@shop.test", ["bob@example.org"], b"Subject: News\\r\\n\\r\\nHello\\r\\n")

import dataclasses, gc
from fakemail.types.dataclass import _Late

kinds = [each for each in gc.get_objects() if isinstance(each, type) and dataclasses.is_dataclass(each)]
methods = [name for kind in kinds for name in vars(kind) if name in ("__init__", "__repr__", "__eq__", "__hash__")]
late = [each for kind in kinds for each in vars(kind).values() if isinstance(each, _Late)]
print(len(late), len(methods))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late, methods = map(int, done.stdout.split())
    assert methods > 300
    assert methods - late < methods / 4
