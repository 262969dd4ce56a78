"""Prints the reference pages from the code: ``python docs/generate.py`` writes them anew.

A test compares the pages with what is printed here, so that none of them can be out of date.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from enum import Enum
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import fakemail
from fakemail.api.faults import DnsFaults, Faults
from fakemail.api.messages import MessageQuery
from fakemail.faults import catalogue, context
from fakemail.faults.action import FaultAction
from fakemail.faults.actions import ACTIONS
from fakemail.faults.presets import PresetTarget, presets_of
from fakemail.faults.rule import PER, Schedule
from fakemail.faults.stages import WATCHED
from fakemail.grease import VARIETIES
from fakemail.imap.capabilities import CAPABILITIES as IMAP_CAPABILITIES
from fakemail.imap.capabilities import CapabilityContext as ImapFacts
from fakemail.imap.capabilities import CapabilityRow as ImapCapability
from fakemail.imap.capabilities import listed as imap_listed
from fakemail.imap.command_table import COMMANDS as IMAP_COMMANDS
from fakemail.imap.context import ImapState
from fakemail.imap.server_kinds import SERVER_KINDS, ImapProfile, ServerKind
from fakemail.lint.rules import RULES, Severity
from fakemail.model import toml
from fakemail.model.content_rules import CHECK_GROUPS, ContentRules
from fakemail.model.host import HOST_OPTIONS, IMAP, HostOptions, HostSpec
from fakemail.model.policy import Disposition, Policy
from fakemail.model.policy_schema import DOMAIN_POLICY
from fakemail.model.schema import Table
from fakemail.mta.inbound.alterations import ALTERATIONS
from fakemail.policy import checks as policy_checks
from fakemail.policy.bulk_receivers import PACKS, ReceiverRules
from fakemail.policy.bulk_rules import RULES as BULK_RULES
from fakemail.policy.content.checks import CHECKS
from fakemail.pop3.capabilities import CAPABILITIES
from fakemail.pop3.commands import COMMANDS as POP3_COMMANDS
from fakemail.pop3.commands import Pop3State
from fakemail.sasl.mechanisms import MECHANISMS, Mechanism
from fakemail.smtp import replies
from fakemail.smtp.commands import COMMANDS, SmtpState
from fakemail.smtp.extensions import EXTENSIONS
from fakemail.types import reason, stage
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.zones.auth_flaws import FLAWS

PAGES = Path(__file__).parent / "reference"
NOTE = "<!-- Printed by docs/generate.py; change the code and not this page. -->"

# The public names, in the order of the page.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "The fake internet": (
        "In tests, take the fixtures `mailnet` and `async_mailnet`, which are these two.",
        ("MailNet", "AsyncMailNet"),
    ),
    "Accounts and mailboxes": (
        "`mailnet.account(...)` makes an account; `account.inbox` is its mailbox.",
        (
            "Account",
            "AsyncAccount",
            "Inbox",
            "AsyncInbox",
            "Messages",
            "AsyncMessages",
            "Message",
            "SentMessage",
        ),
    ),
    "What is read in messages": (
        "`mail.attachments`, `mail.links`, `mail.delivery_report` and the like.",
        (
            "Attachment",
            "Link",
            "NamedAddress",
            "Envelope",
            "DeliveryReport",
            "RecipientReport",
            "ComplaintReport",
            "DispositionReport",
            "FailureReport",
            "DmarcReport",
            "TlsReport",
        ),
    ),
    "Hosts, domains and settings": (
        "`mailnet.domain(...)` and `mailnet.host(...)` are handles on what runs.",
        ("Domain", "Host", "MailingList", "Settings", "Namespace", "AsyncNamespace", "Redirection"),
    ),
    "Matchers": (
        "For `matching=` in the waits, or by themselves. See [Match messages](../how-to/matchers.md).",
        (
            "HasSubject",
            "HasText",
            "HasHtml",
            "HasLink",
            "HasCode",
            "HasAttachment",
            "HasHeader",
            "SentBy",
            "SentTo",
        ),
    ),
    "Journeys": (
        "`mailnet.journey(to=...)` is the way of a message to one recipient, `mailnet.events()` is all that happened.",
        ("Journey", "Hop", "JourneyStep", "Event"),
    ),
    "Fates": (
        "What became of a message for one recipient: `mailnet.journey(to=...).fate`.",
        (
            "Fate",
            "Delivered",
            "Forwarded",
            "Refused",
            "Queued",
            "Relayed",
            "InProgress",
            "Dropped",
            "Bounced",
            "Expired",
            "Discarded",
            "Quarantined",
        ),
    ),
    "Words": (
        "Values that the others are made of.",
        ("Address", "NULL_PATH", "Reply", "Stage", "Reason"),
    ),
    "Faults": (
        "See [Inject faults](../how-to/faults.md), and [all stages and actions](faults.md).",
        ("faults",),
    ),
    "Ready messages": ("", ("samples", "notices")),
    "Lengths of time": (
        "`minutes(5)` reads better than `timedelta(minutes=5)`.",
        ("seconds", "minutes", "hours", "days"),
    ),
    "Exceptions": (
        "",
        (
            "MailAssertionError",
            "FakemailError",
            "DeclarationError",
            "UnknownNameError",
            "NamespaceUnavailable",
            "PortInUse",
            "TooManyOpenFiles",
            "ServerError",
            "ClosedError",
            "BlockingCallInLoop",
        ),
    ),
}


# Classes that are returned by the names of their kinds only, or by the plain names of faults.
BASES = ("Matcher", "AuthResult", "Fault")
# Classes whose names have pages of their own.
ELSEWHERE = {
    "Faults": "faults",
    "AccountFaults": "faults",
    "DnsFaults": "faults",
    "HostOptions": "host-options",
}


def markdown(text: str | None) -> str:
    """A docstring as Markdown: its roles and double backticks are those of reStructuredText."""
    text = inspect.cleandoc(text or "")
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _signature(thing: Callable[..., Any], *, defaults: bool = True) -> str:
    shown: list[str] = []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(each.startswith("*") for each in shown):
            shown.append("*")
        if "MessageQuery" in str(parameter.annotation):
            shown += ["*"] * (not any(each.startswith("*") for each in shown))
            shown += [f"{name}=None" for name in MessageQuery.__annotations__]
            continue
        parameter = parameter.replace(annotation=parameter.empty)
        shown.append(str(parameter if defaults else parameter.replace(default=parameter.empty)))
    return f"({', '.join(shown)})"


class Member(NamedTuple):
    """A public name of a class."""

    name: str
    value: Any
    """As it stands in the class; ``None`` for what only its objects have."""
    said: str
    annotation: str

    @property
    def code(self) -> Any:
        """The function behind it; ``None`` for a value."""
        value = self.value
        return (
            getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
        )

    @property
    def returns(self) -> str:
        """The annotation of what a test gets from it."""
        return str(getattr(self.code, "__annotations__", {}).get("return", self.annotation))


def members(kind: type) -> dict[str, Member]:
    """The public names of a class with those that it inherits from ours, in the order of the source."""
    found: dict[str, Member] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("fakemail"):
            for name, said, annotation in _names_in_source(base):
                value = inspect.getattr_static(base, name, None)
                if isinstance(value, FunctionType | property | classmethod | staticmethod | cached_property):
                    said = markdown(value.__doc__)
                elif name in found and not said:  # a field that a subclass gives another default
                    said = found[name].said
                annotation = annotation or (found[name].annotation if name in found else "")
                found[name] = Member(name, value, _first_paragraph(said), annotation)
    return found


def _names_in_source(kind: type) -> Iterator[tuple[str, str, str]]:
    """The public names that a class and its ``__init__`` define, each with the string below it and its annotation."""
    tree = ast.parse(dedent(inspect.getsource(kind))).body[0]
    body: list[ast.stmt] = getattr(tree, "body", [])
    made = next((each.body for each in body if getattr(each, "name", "") == "__init__"), [])
    for statements, attribute in ((body, "id"), (made, "attr")):
        for node, after in zip(statements, [*statements[1:], None], strict=False):
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
            name = getattr(target, attribute, "") or (attribute == "id" and getattr(node, "name", ""))
            if name and not name.startswith("_"):
                is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                said = _first_paragraph(markdown(str(after.value.value))) if is_text else ""
                yield name, said, ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""


def _member(member: Member) -> str:
    said = member.said
    if match := re.fullmatch(r"See `(\w+)`\.", said):
        said = "The same, awaited." if match[1] == member.name else said
    if isinstance(member.value, property | cached_property) or not inspect.isfunction(member.code):
        return f"- `{member.name}`: {said}" if said else f"- `{member.name}: {member.annotation}`"
    wait = "await " if inspect.iscoroutinefunction(member.code) else ""
    return f"- `{wait}{member.name}{_signature(member.code)}`: {said}"


def _entry(name: str, thing: Any) -> Iterator[str]:
    yield from (f"### {name}", "")
    if isinstance(thing, ModuleType):
        yield from (markdown(thing.__doc__), "")
        for function, member in vars(thing).items():
            if inspect.isfunction(member) and member.__module__ == thing.__name__ and function[0] != "_":
                said = _first_paragraph(markdown(member.__doc__))
                yield f"- `{function}{_signature(member, defaults=False)}`: {said}"
    elif isinstance(thing, type) and issubclass(thing, Enum):
        page = f"{name.lower()}s.md"
        words = (
            f"[All of them]({page})" if page in GENERATED else ", ".join(f"`{each.value}`" for each in thing)
        )
        yield f"{markdown(thing.__doc__)} {words}."
    elif inspect.isfunction(thing):
        yield from (f"`{name}{_signature(thing)}`", "", markdown(thing.__doc__))
    elif not isinstance(thing, type):
        yield f"{markdown(type(thing).__doc__)} It is written `<>` on the wire."
    else:
        yield from _class(name, thing)
    yield ""


def _class(name: str, kind: type) -> Iterator[str]:
    if getattr(fakemail, name, None) is kind and not issubclass(kind, BaseException):
        made_from = inspect.signature(kind).parameters
        if made_from and not {"portal", "stored"} & made_from.keys():  # else no test makes one
            yield from (f"`{name}{_signature(kind)}`", "")
    yield from (markdown(kind.__doc__), "")
    if name in ELSEWHERE:
        yield f"Its names have [a page of their own]({ELSEWHERE[name]}.md)."
        return
    found = members(kind)
    if name.startswith("Async"):
        twin = next(each for each in entries() if each.__name__ == name.removeprefix("Async"))
        same = {each: member.value for each, member in members(twin).items()}
        yield from (f"It has all of [{twin.__name__}](#{twin.__name__.lower()}), and in their place:", "")
        found = {each: member for each, member in found.items() if member.value is not same[each]}
    elif base := next((each for each in kind.__mro__[1:] if each in entries()), None):
        found = {each: member for each, member in found.items() if each not in members(base)}
        if members(base):
            link = f"[{base.__name__}](#{base.__name__.lower()})"
            yield from (f"It has all of {link}{', and:' if found else '.'}", "")
    yield from map(_member, found.values())


@cache
def entries() -> frozenset[type]:
    """The classes that have an entry on the page."""
    public = [getattr(fakemail, name) for name in fakemail.__all__]
    return frozenset([*(each for each in public if isinstance(each, type)), *returned().values()])


@cache
def returned() -> dict[str, type]:
    """The classes that public members return, in the order in which they are first named; not to be imported."""
    ours = {kind.__name__: kind for kind in _every_class() if not kind.__name__.startswith(("_", "Base"))}
    public = [getattr(fakemail, name) for _, names in GROUPS.values() for name in names]
    waiting = [each for each in public if isinstance(each, type)]
    found = {name: ours[name] for name in BASES}
    waiting += found.values()
    known = set(waiting)
    for kind in waiting:  # which grows meanwhile
        if issubclass(kind, Enum) or kind.__name__ in ELSEWHERE:
            continue
        for member in members(kind).values():
            for other in (ours.get(name) for name in re.findall(r"(?<![\w.])\w+(?![\w.])", member.returns)):
                if other is not None and other not in known:
                    known.add(other)
                    waiting.append(other)
                    found[other.__name__] = other
    return found


def _every_class() -> Iterator[type]:
    for found in pkgutil.walk_packages(fakemail.__path__, "fakemail."):
        if not found.name.startswith(("fakemail.__main__", "fakemail.sandbox", "fakemail.intercept.netns")):
            for value in vars(import_module(found.name)).values():
                if isinstance(value, type) and value.__module__ == found.name:
                    yield value


def _said_of_members(kind: type) -> Iterator[tuple[str, str]]:
    """Each assigned name of a class, with the string below it."""
    return ((member.name, member.said) for member in members(kind).values() if not callable(member.code))


def api() -> Iterator[str]:
    """Every public name."""
    yield "# Every public name"
    yield ""
    yield "All of these are imported from `fakemail`. What is elsewhere is private and may change."
    for title, (intro, names) in GROUPS.items():
        yield from ("", f"## {title}", "")
        if intro:
            yield from (intro, "")
        for name in names:
            yield from _entry(name, getattr(fakemail, name))
    yield from ("", "## What the others return", "", "These are not imported.", "")
    for name, kind in returned().items():
        yield from _entry(name, kind)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def smtp() -> Iterator[str]:
    """Commands, extensions and mechanisms."""
    yield "# SMTP: commands and extensions"
    yield ""
    yield "The servers run by these tables."
    yield from ("", "## Commands", "")
    words = {
        SmtpState.CONNECTED: "connected",
        SmtpState.READY: "greeted",
        SmtpState.SENDER: "after MAIL",
        SmtpState.RECIPIENTS: "after RCPT",
        SmtpState.CHUNKS: "after BDAT",
    }
    yield from _table(
        ("command", "legal when", "argument", "line at most", "needs", "stage"),
        (
            (
                f"`{row.syntax}`",
                "always"
                if row.states == frozenset(SmtpState)
                else ", ".join(words[state] for state in SmtpState if state in row.states),
                row.argument.value,
                f"{row.limit} octets",
                f"`{row.keyword}`" if row.keyword else "",
                f"`{row.stage}`",
            )
            for row in COMMANDS.values()
        ),
    )
    yield ""
    yield "*Connected* is before EHLO or HELO, and again after STARTTLS. Out of order, a command gets 503."
    yield from ("", "## Extensions", "")
    yield 'In the order of the reply to EHLO. Each can be hidden: `host.configure(hide={"PIPELINING"})`.'
    yield ""
    yield from _table(("keyword", "source"), ((f"`{row.keyword}`", row.source) for row in EXTENSIONS))
    yield from ("", "## AUTH mechanisms", "")
    yield 'The strongest first, on the submission ports. Each can be hidden: `host.configure(hide={"AUTH=LOGIN"})`.'
    yield ""
    yield from _table(
        ("mechanism", "source", "the client has a", "offered"),
        ((f"`{row.name}`", row.source, row.secret, _when(row)) for row in MECHANISMS.values()),
    )


def _when(row: Mechanism) -> str:
    if row.needs_client_certificate:
        return "over TLS, to a client with a certificate"
    return "over TLS" if row.needs_channel_binding else "over TLS; in clear with `auth_in_clear`"


def pop3() -> Iterator[str]:
    """Commands and capabilities of POP3."""
    yield "# POP3: commands and capabilities"
    yield ""
    yield "The servers run by these tables. How to use them: [Read mail by POP3](../how-to/read.md#by-pop3)."
    yield from ("", "## Commands", "")
    words = {
        Pop3State.AUTHORIZATION: "before the login",
        Pop3State.NAMED: "right behind USER",
        Pop3State.TRANSACTION: "after the login",
    }
    always, before = frozenset(Pop3State), frozenset(Pop3State) - {Pop3State.TRANSACTION}
    yield from _table(
        ("command", "legal when", "argument", "line at most", "needs", "stage"),
        (
            (
                f"`{row.syntax}`",
                "always"
                if row.states == always
                else words[Pop3State.AUTHORIZATION]
                if row.states == before
                else ", ".join(words[state] for state in Pop3State if state in row.states),
                row.argument.value,
                f"{row.limit} octets",
                f"`{row.capability}`" if row.capability else "",
                f"`{row.stage}`",
            )
            for row in POP3_COMMANDS.values()
        ),
    )
    yield from ("", "## Capabilities", "")
    yield 'What CAPA lists, in this order. Each can be hidden, as can APOP and CAPA: `host.configure(hide={"TOP"})`.'
    yield ""
    yield from _table(("capability", "source"), ((f"`{row.keyword}`", row.source) for row in CAPABILITIES))
    yield ""
    yield "SASL lists the mechanisms of [SMTP](smtp.md#auth-mechanisms), STLS is offered on port 110 before TLS, and"
    yield "LOGIN-DELAY where a host has one."


def imap() -> Iterator[str]:
    """Commands, capabilities and kinds of servers of IMAP."""
    yield "# IMAP: commands, capabilities and kinds of servers"
    yield ""
    yield "The servers run by these tables. How to use them: [Read mail by IMAP](../how-to/read.md#by-imap)."
    yield from ("", "## Commands", "")
    words = {
        frozenset(ImapState): "always",
        frozenset({ImapState.NOT_AUTHENTICATED}): "before the login",
        frozenset(ImapState) - {ImapState.NOT_AUTHENTICATED}: "after the login",
        frozenset({ImapState.SELECTED}): "a mailbox is selected",
    }
    yield from _table(
        ("command", "legal when", "needs", "stage"),
        (
            (
                f"`{row.name}`",
                words[row.states],
                " or ".join(f"`{name}`" for name in row.capabilities),
                f"`{row.stage}`",
            )
            for row in IMAP_COMMANDS.values()
        ),
    )
    yield ""
    *others, last = [row.name for row in IMAP_COMMANDS.values() if row.has_uid_form]
    yield f"{', '.join(others)} and {last} have a form with UID in front, whose"
    yield "stage is the same. A command that needs a capability does not exist where that is hidden."
    yield from ("", "## Capabilities", "")
    yield 'What CAPABILITY lists, in this order. Each can be hidden: `host.configure(hide={"IDLE"})`.'
    yield ""
    yield from _table(
        ("capability", "source", "listed"),
        ((f"`{row.name}`", row.source, _listed(row)) for row in IMAP_CAPABILITIES),
    )
    yield ""
    yield "Before the login, AUTH= lists the mechanisms of [SMTP](smtp.md#auth-mechanisms)."
    yield from ("", "## Kinds of servers", "")
    yield '`host.configure(imap="gmail-like")` makes a host one of these. They differ in what they offer, in the'
    yield "mailboxes that an account starts with, and in:"
    yield ""
    yield from _table(
        ("kind", "how it differs"), ((f"`{row.name}`", _said(row)) for row in SERVER_KINDS.values())
    )
    for row in SERVER_KINDS.values():
        yield from ("", f"### {row.name}", "")
        profile = ImapProfile(HostSpec("mail.example.org", "192.0.2.1", "2001:db8::1"), IMAP, row)
        secure = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x")
        for when, channel, inside in (
            ("in clear text", None, False),
            ("over TLS", secure, False),
            ("after the login", secure, True),
        ):
            yield f"- {when}: {', '.join(f'`{word}`' for word in imap_listed(ImapFacts(profile, channel, inside)))}"
        folders = (f"`{name}`{f' (`{use}`)' if use else ''}" for name, use in row.folders.items())
        yield f"- mailboxes beside INBOX: {', '.join(folders)}"


def _listed(row: ImapCapability) -> str:
    return row.shown.value.replace("login", "the login")


def _said(row: ServerKind) -> str:
    differences = (
        (row.strict, "refuses what the grammar does not have"),
        (not row.volunteers_capabilities, "tells its capabilities only when it is asked"),
        (row.literal_minus, "takes literals unasked up to 4096 octets only"),
        (row.append_limit is not None, f"takes messages of up to {row.append_limit or 0:_} octets"),
        (
            row.uses_labels,
            "mailboxes are labels: a message has one where a copy of it lies; All Mail has all",
        ),
        (row.seven_bit, "refuses octets beyond ASCII in quoted strings until UTF-8 is enabled"),
        (row.charsets is not None, f"searches in {', '.join(sorted(row.charsets or ()))} only"),
        (bool(row.extra), f"lists {', '.join(row.extra)} as well, without any meaning"),
        (bool(row.without), f"has no {', '.join(sorted(row.without))}"),
    )
    said = "; ".join(text for differs, text in differences if differs)
    return said or "everything that there is"


def _grouped(module: ModuleType, kind: type[Enum]) -> Iterator[tuple[str, list[tuple[Enum, str]]]]:
    """The members of an enumeration under the comments that stand above them."""
    lines = inspect.getsource(kind).splitlines()
    said = dict(_said_of_members(kind))
    title = ""
    members: list[tuple[Enum, str]] = []
    for line in lines:
        if comment := re.fullmatch(r"    # (.+)", line):
            if members:
                yield title, members
            title, members = comment[1].rstrip("."), []
        elif match := re.match(r"    ([A-Z_]+) = ", line):
            members.append((kind[match[1]], said.get(match[1], "")))
    yield title, members


def stages() -> Iterator[str]:
    """Every stage."""
    yield "# Stages"
    yield ""
    yield markdown(stage.Stage.__doc__)
    yield ""
    yield "`mailnet.events(Stage.SMTP_RCPT)` are the events of one stage. The name is used in transcripts and exports."
    for title, members in _grouped(stage, stage.Stage):
        yield from ("", f"## {title}", "")
        yield from _table(
            ("stage", "name", ""),
            ((f"`Stage.{member.name}`", f"`{member.value}`", said) for member, said in members),
        )


def reasons() -> Iterator[str]:
    """Every reason, with the reply that it becomes."""
    yield "# Reasons"
    yield ""
    yield markdown(reason.Reason.__doc__)
    yield ""
    yield "Every refusal and every deferral has one: `mailnet.journey(to=...).reason`. The reply is what a"
    yield "server of ours says for it, where it says anything."
    for title, members in _grouped(reason, Reason):
        yield from ("", f"## {title}", "")
        yield from _table(
            ("reason", "in words", "reply", ""),
            ((f"`Reason.{member.name}`", member.value, _reply(member), said) for member, said in members),
        )


def _reply(member: Enum) -> str:
    try:
        reply = replies.refusal(Reason[member.name])
    except KeyError:
        return ""
    return f"`{reply.code} {reply.enhanced}`"


def options() -> Iterator[str]:
    """The options of a host."""
    yield "# Options of a host"
    yield ""
    yield markdown(HostOptions.__doc__)
    yield ""
    yield "`host.configure(max_recipients=100)` changes one; connections made from then on see it. The host behind"
    yield "some settings is `settings.server`."
    yield ""
    said = dict(_said_of_members(HostOptions))
    yield from _table(
        ("option", "default", ""),
        (
            (f"`{field.name}`", f"`{_default(field.default)}`", said[field.name])
            for field in dataclasses.fields(HostOptions)
        ),
    )


_KEYS = re.compile(r"(?<=<!-- keys of )(\w+)( -->\n).*?(?=<!-- end of keys -->)", re.DOTALL)


def config() -> str:
    """The page of the configuration file, with the tables of keys in it printed anew."""

    def keys(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}" + "".join(f"{line}\n" for line in _keys_of(getattr(toml, match[1])))

    return _KEYS.sub(keys, (PAGES / "config.md").read_text(encoding="utf-8"))


def _keys_of(table: Table[Any]) -> Iterator[str]:
    said = dict(table.extra_says)
    for kind in (table.make, *(inner.make for inner in table.flat.values() if inner is not HOST_OPTIONS)):
        said |= dict(_said_of_members(kind))
    yield from _table(
        ("key", "value", ""),
        (
            (f"`{name}`", kind.says.removeprefix("a "), said[name])
            for name, kind in table.keys.items()
            if HOST_OPTIONS not in table.flat.values() or name not in HOST_OPTIONS.keys
        ),
    )


def policies() -> Iterator[str]:
    """The keywords of a policy, and the outcomes."""
    yield "# Keywords of a policy"
    yield ""
    yield "`domain.policy(...)` takes them, and the table `policy` of a domain in [the configuration file](config.md);"
    yield "`host.policy(...)` and the table `policy` of a host for what is submitted to it;"
    yield "a duration is a number of seconds there. [How to use them](../how-to/policies.md)."
    yield ""
    said = dict(_said_of_members(Policy))
    stages = {}
    for link in policy_checks.CHECKS:
        stages.setdefault(link.keyword, {})[f"`{link.stage}`"] = None
    yield from _table(
        ("keyword", "may be", "", "stage"),
        (
            (f"`{name}`", kind.says, said[name], ", ".join(stages.get(name, ())))
            for name, kind in DOMAIN_POLICY.keys.items()
        ),
    )
    yield ""
    yield "## What follows"
    yield ""
    yield "Of several findings the most severe counts. The mildest first:"
    yield ""
    said = dict(_said_of_members(Disposition))
    yield from _table(("word", ""), ((f"`{outcome}`", said[outcome.name]) for outcome in Disposition))
    yield ""
    yield "A word by itself is for what fails. In a table of words what a check can find, or how it came out,"
    yield 'has a word of its own: `helo={"own_name": "refuse", "not_fqdn": "tag"}`. What could not be looked up'
    yield "(`temperror`) is deferred where a failure would be refused or deferred, unless the table says otherwise."


def broken() -> Iterator[str]:
    """The ways to break sender authentication, and what hosts do to messages."""
    yield "# Broken sender authentication"
    yield ""
    yield '`domain.add_auth_flaw("spf_two_records")`, and what a receiver finds then for mail that an account'
    yield "of the domain submits, when nothing else is wrong."
    yield ""
    yield from _table(
        ("way", "what is done", "SPF", "DKIM", "DMARC"),
        (
            (f"`{name}`", flaw.says, f"`{flaw.spf}`", f"`{flaw.dkim}`", f"`{flaw.dmarc}`")
            for name, flaw in FLAWS.items()
        ),
    )
    yield from ("", "## What hosts do to mail", "")
    yield '`host.configure(alters={"footer"})`: done to all that the host passes on, in this order.'
    yield ""
    yield from _table(
        ("word", "what is done"), ((f"`{name}`", each.says) for name, each in ALTERATIONS.items())
    )


_GROUP_TITLES = {
    "form": "The form of header, lines and octets",
    "structure": "How it is put together",
    "files": "The files that it carries",
    "marks": "Marks that filters are tried out with",
    "words": "What it says",
    "links": "Where it leads",
}


def checks() -> Iterator[str]:
    """The checks of content, and the rules they go by."""
    yield "# Checks of content"
    yield ""
    yield "What a receiving host can look for in a message, if asked to. *Points* count towards the score of spam;"
    yield "the reason is given where a message is refused for this alone."
    for group, names in CHECK_GROUPS.items():
        yield from ("", f"## {_GROUP_TITLES[group]}", "", f"The group `{group}`.", "")
        yield from _table(
            ("check", "about", "points", "reason"),
            (
                (
                    f"`{name}`",
                    markdown(check.says),
                    "those of the words" if check.points_of else f"{check.points:g}",
                    f"`Reason.{check.reason.name}`",
                )
                for name in names
                for check in [CHECKS[name]]
            ),
        )
    yield from (
        "",
        "## Rules",
        "",
        "The limits, lists and points that the checks go by. A test can give others.",
        "",
    )
    said = dict(_said_of_members(ContentRules))
    usual = ContentRules()
    yield from _table(
        ("rule", "usually", ""),
        (
            (f"`{field.name}`", _rule(getattr(usual, field.name)), said[field.name])
            for field in dataclasses.fields(ContentRules)
        ),
    )


def receivers() -> Iterator[str]:
    """The rules of large receivers."""
    yield "# Rules of large receivers"
    yield ""
    yield "What large receivers ask of bulk senders, and what is done about it by the domains that have"
    yield "[`bulk_sender`](../how-to/deliverability.md) in their policy. *Required* and *advised* mean that the message"
    yield "is taken all the same: the receiver publishes no consequence for this alone. Rules in italics hold for"
    yield "everybody, also for those who send little."
    yield from ("", "## Rules", "")
    yield from _table(
        ("rule", "asks", "reason", "to do"),
        (
            (f"`{rule.name}`", markdown(rule.says), f"`Reason.{rule.reason.name}`", rule.advice)
            for rule in BULK_RULES.values()
        ),
    )
    yield from ("", "## Packs", "")
    for pack in PACKS.values():
        yield f"- `{pack.name}`: {pack.of}; bulk senders are domains with {pack.counts_from} messages a day and more."
    yield ""
    yield from _table(
        ("rule", *(f"`{name}`" for name in PACKS)),
        ((f"`{name}`", *(_demand(pack, name) for pack in PACKS.values())) for name in BULK_RULES),
    )
    yield ""
    yield "A refusal with no code here has that of its [reason](reasons.md)."


def _demand(pack: ReceiverRules, rule: str) -> str:
    demand = next((each for each in pack.demands if each.rule == rule), None)
    if demand is None:
        return ""
    said = demand.outcome.value
    if demand.outcome is Disposition.ACCEPT:
        said = "required" if demand.is_required else "advised"
    if demand.reply is not None:
        said = f"{said} `{demand.reply[0]} {demand.reply[1]}`"
    return f"*{said}*" if demand.of_all else said


def _rule(value: Any) -> str:
    if isinstance(value, int):
        return f"`{value:_}`"
    if value and isinstance(value, tuple):
        value = [f"{name} ({points:g})" for name, points in value]
    return ", ".join(f"`{each}`" for each in sorted(value)) or "none"


def grease() -> Iterator[str]:
    """What varies in grease mode."""
    yield "# What varies in grease mode"
    yield ""
    yield "All of it is legal: [Vary server behaviour (grease)](../how-to/grease.md)."
    yield ""
    yield from _table(
        ("what", "protocol", "how", "source"),
        ((row.name, row.protocol, row.what, row.source) for row in VARIETIES),
    )


def lint() -> Iterator[str]:
    """The rules of client lint."""
    yield "# Lint rules"
    yield ""
    yield "What `mailnet.lint()` looks for: [Lint SMTP clients](../how-to/lint.md)."
    yield ""
    yield from _table(
        ("rule", "severity", "the app", "why a server would mind", "source", "instead"),
        (
            (f"`{row.name}`", row.severity.value, row.what, row.why, row.source, row.fix)
            for row in RULES.values()
        ),
    )
    yield ""
    for severity, said in _said_of_members(Severity):
        yield f"- *{Severity[severity].value}*: {said[0].lower()}{said[1:]}"


def _default(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "nothing"
    return f"{value:_}" if type(value) is int else str(value)


def faults() -> Iterator[str]:
    """Every stage at which something can go wrong, and everything that can."""
    yield "# Faults: every stage, every action"
    yield ""
    yield "How to use them: [Inject faults](../how-to/faults.md). A fault at a stage where its action or one of"
    yield "its conditions is not possible is refused where it is declared."
    yield from ("", "## Stages", "")
    yield f"*The usual ends* are {_actions(catalogue.ENDINGS)}."
    yield f"*The usual answers* are {_actions(catalogue.ON_ANSWERS)}."
    yield ""
    usual = (("the usual ends", catalogue.ENDINGS), ("the usual answers", catalogue.ON_ANSWERS))
    yield from _table(
        ("stage", "what can happen", "whom it can be about"),
        (
            (
                f"`Stage.{row.stage.name}`",
                ", ".join(filter(None, _sorted_out(row.actions, usual))),
                ", ".join(f"`{_condition(name)}`" for name in context.CONDITIONS if name in row.conditions),
            )
            for row in catalogue.rows().values()
        ),
    )
    yield from ("", "These can be watched only:", "")
    yield from _table(
        ("stage", "because, or instead"),
        ((f"`Stage.{stage.name}`", why) for stage, why in WATCHED.items()),
    )
    yield from ("", "## Actions", "")
    yield "They are in `fakemail.faults`, for `host.faults.add(stage, faults.drop())`, and in"
    yield "[configurations](config.md#faults)."
    yield ""
    yield from _table(
        ("action", "what happens"),
        (
            (
                f"`{name}({_parameters(inspect.signature(kind).parameters.values())})`",
                _first_paragraph(markdown(kind.__doc__)),
            )
            for name, kind in sorted(ACTIONS.items())
        ),
    )
    yield from ("", "## Whom it concerns", "")
    yield markdown(context.Match.__doc__)
    yield ""
    yield from _table(
        ("condition", "at"),
        (
            (
                f"`{_condition(name)}`",
                ", ".join(f"`{row.stage}`" for row in catalogue.rows().values() if name in row.conditions),
            )
            for name in context.CONDITIONS
        ),
    )
    yield from ("", "## When it fires", "")
    said = dict(_said_of_members(Schedule))
    yield from _table(
        ("option", ""),
        (
            ("`nth`", "The fitting moment of that number, and no other."),
            *((f"`{field.name}`", said[field.name]) for field in dataclasses.fields(Schedule)),
            (
                "`must_fire`",
                "Whether a test in which it never fires fails: yes, for one that the test itself declares.",
            ),
        ),
    )
    yield ""
    yield f"`once_per` is one of {', '.join(f'`{name}`' for name in PER)}."
    yield from ("", "## Presets", "")
    yield "Faults by plain names: at `host.faults`, at `domain.faults` for the hosts that take its mail (for IMAP and"
    yield "POP3: where it is read), and at `mailnet.faults` for every host. Each takes the options above as well."
    yield "[Configurations](config.md#faults) use the same names, and need no stage where it says one here."
    yield ""
    yield from _presets(Faults)
    yield from ("", "At `mailnet.dns.faults`, each with `type=` if it is about one type of records:", "")
    yield from _presets(DnsFaults)


def _presets(kind: type[PresetTarget]) -> Iterator[str]:
    rows = presets_of(kind)
    order = {name: at for at, name in enumerate(name for base in kind.__mro__ for name in vars(base))}
    yield from _table(
        ("preset", "stage", "what happens"),
        (
            (
                f"`{name}({_parameters(list(row.signature.parameters.values())[1:-1])})`",
                ", ".join(f"`{stage}`" for stage in row.stages),
                _first_paragraph(markdown(getattr(kind, name).__doc__)),
            )
            for name, row in sorted(rows.items(), key=lambda item: order[item[0]])
        ),
    )


def _parameters(parameters: Iterable[inspect.Parameter]) -> str:
    """Parameters with their defaults, as far as those are short."""
    shown = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not any(each.startswith("*") for each in shown):
            shown.append("*")
        text = str(parameter.replace(annotation=parameter.empty, default=parameter.empty))
        default = parameter.default
        if isinstance(default, Enum):
            default = default.value
        is_long = isinstance(default, bytes | timedelta)
        shown.append(text if default is parameter.empty else f"{text}={'...' if is_long else repr(default)}")
    return ", ".join(shown)


def _condition(name: str) -> str:
    return "to" if name == "recipient" else name


def _actions(kinds: Iterable[type[FaultAction]]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(kind.name for kind in kinds))


def _sorted_out(
    kinds: frozenset[type[FaultAction]], groups: Iterable[tuple[str, frozenset[type[FaultAction]]]]
) -> Iterator[str]:
    """The actions, with those that come together under one word."""
    for word, members in groups:
        if members <= kinds:
            kinds -= members
            yield word
    yield _actions(kinds)


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "api.md": api,
    "smtp.md": smtp,
    "imap.md": imap,
    "pop3.md": pop3,
    "stages.md": stages,
    "reasons.md": reasons,
    "host-options.md": options,
    "lint.md": lint,
    "grease.md": grease,
    "policies.md": policies,
    "checks.md": checks,
    "receivers.md": receivers,
    "faults.md": faults,
    "broken-authentication.md": broken,
}


def page(name: str) -> str:
    """The text of one page."""
    if name == "config.md":
        return config()
    title, *rest = GENERATED[name]()
    text = "\n".join([title, "", NOTE, *rest])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def main() -> None:
    """Write all pages."""
    for name in (*GENERATED, "config.md"):
        (PAGES / name).write_text(page(name), encoding="utf-8")
        print(f"docs/reference/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
