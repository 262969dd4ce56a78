"""Presets: faults by plain names, a row for each. A row is a function that returns the action, below a line that says
at which stage; the method that tests call, the word of configurations, the reference page and the tests are made of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    NamedTuple,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
)

from fakemail.errors import DeclarationError
from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.actions import ACTIONS
from fakemail.faults.context import IdleMoment
from fakemail.faults.rule import Fault, FaultScope
from fakemail.faults.stages import CONDITIONS_AT
from fakemail.types.address import HasAddress, HasName
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests, UnknownKeyword
from fakemail.types.write_script import End

if TYPE_CHECKING:
    from fakemail.dns.zones import Zones

_T = TypeVar("_T", bound="PresetTarget")
_P = ParamSpec("_P")


class FaultTiming(TypedDict, total=False):
    """Which moments a fault takes, and of which client; see ``add()``."""

    client: str | HasName | None
    skip: int | None
    nth: int | None
    every: int | None
    times: int | None
    probability: float | None
    once_per: str | None
    since: datetime | None
    until: datetime | None
    must_fire: bool | None


class TransportFaultOptions(FaultTiming, total=False):
    """Match and schedule of a DNS fault whose action names the records."""

    transport: str | None


class DnsFaultOptions(TransportFaultOptions, total=False):
    """Match and schedule of a DNS fault."""

    type: str | None


class PathFaultOptions(TransportFaultOptions, total=False):
    """Match and schedule of a fault whose recipient is an argument of its own."""

    connection: int | None
    service: str | None
    login: str | HasAddress | None
    sender: str | HasAddress | None
    argument: str | None
    subject: str | None
    message: str | None
    after: int | None
    query: str | None
    query_type: str | None


class FaultOptions(PathFaultOptions, total=False):
    """Match and schedule of a fault."""

    to: str | HasAddress | None


class FaultPart(NamedTuple):
    """One of the rules that a preset is made of, where the row does not say it all."""

    action: FaultAction
    stage: Stage | None = None
    options: Mapping[str, Any] = {}


class Preset(NamedTuple):
    """A row: what a plain name stands for."""

    name: str
    stages: tuple[Stage, ...]
    """Stage at which it happens; none where the caller gives it."""
    options: Mapping[str, Any]
    """Conditions and timing, unless the caller says otherwise."""
    build: Callable[..., FaultAction | list[FaultPart]]
    """Makes the action from what the caller gives."""

    @property
    def signature(self) -> inspect.Signature:
        """Parameters of the row."""
        return _signature(self.build)

    @property
    def knows_stage(self) -> bool:
        """Whether the caller need not say at which stage."""
        return bool(self.stages) or self.signature.parameters["stage"].default is not inspect.Parameter.empty


@functools.cache
def _signature(build: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(build)


class PresetTarget(Suggests):
    """An object at which faults can be declared."""

    option_names: frozenset[str] = frozenset(FaultOptions.__annotations__)

    def _scope_of_faults(self) -> FaultScope:
        raise NotImplementedError

    def _declare(self, stage: Stage, action: FaultAction, options: Mapping[str, Any]) -> Fault:
        """Add a rule."""
        raise NotImplementedError

    def _apply(self, preset: Preset, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Fault:
        """Declare the faults of a preset; several rules are one fault."""
        known = {*list(preset.signature.parameters)[1:-1], *self.option_names}
        for name in keywords:
            if name not in known:
                raise UnknownKeyword(preset.name, name, known)
        try:
            bound = preset.signature.bind(self, *args, **keywords)
        except TypeError as error:
            raise TypeError(f"{preset.name}(): {error}") from None
        bound.apply_defaults()
        given = {
            name: value for name, value in bound.arguments.items() if name in ("stage", "to", "name", "type")
        }
        try:
            made = preset.build(*bound.args, **bound.kwargs)
        except DeclarationError as error:
            raise DeclarationError(f"{self._scope_of_faults()}: {error}") from None
        options = {**preset.options, **bound.arguments["options"], **given}
        chosen = options.pop("stage", None)
        stages = preset.stages if chosen is None else (chosen,)
        # Who logs in is not known at each stage of a login, so one that is about somebody is at the others only.
        if options.get("login") is not None and len(stages) > 1:
            stages = tuple(stage for stage in stages if "login" in CONDITIONS_AT[stage])
        parts = made if isinstance(made, list) else [FaultPart(made, stage) for stage in stages]
        first, *others = [
            self._declare(part.stage or stages[0], part.action, {**options, **part.options}) for part in parts
        ]
        for other in others:
            first._join(other)
        return first


def preset(
    *stages: Stage, **options: Any
) -> Callable[
    [Callable[Concatenate[_T, _P], FaultAction | list[FaultPart]]], Callable[Concatenate[_T, _P], Fault]
]:
    """Make a method of a row: it declares what the function below returns, at these stages.

    Without a stage the function has a parameter ``stage``. One without a docstring has that of the action of its name.
    """

    def decorate(
        build: Callable[Concatenate[_T, _P], FaultAction | list[FaultPart]],
    ) -> Callable[Concatenate[_T, _P], Fault]:
        name = build.__name__
        row = Preset(name, stages, options, build)

        @functools.wraps(build)
        def declare(self: _T, *args: _P.args, **keywords: _P.kwargs) -> Fault:
            __tracebackhide__ = True
            return self._apply(row, args, keywords)

        declare.__doc__ = build.__doc__ or ACTIONS[name].__doc__
        declare.__dict__["row"] = row
        return cast(Callable[Concatenate[_T, _P], Fault], declare)

    return decorate


def presets_of(kind: type[PresetTarget]) -> dict[str, Preset]:
    """The rows of a target, by name."""
    found = {name: getattr(member, "row", None) for name, member in inspect.getmembers(kind)}
    return {name: row for name, row in found.items() if isinstance(row, Preset)}


# Any server ------------------------------------------------------------------------------------------


class CommonPresets(PresetTarget):
    """Faults at a stage of any protocol."""

    @preset()
    def drop(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.drop()

    @preset()
    def close(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.close()

    @preset()
    def reset(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.reset()

    @preset()
    def no_reply(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.no_reply()

    @preset()
    def delay(self, stage: Stage, span: timedelta, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.delay(span)

    @preset()
    def trickle(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.trickle()

    @preset()
    def throttle(self, stage: Stage, rate: int, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.throttle(rate)

    @preset()
    def partial_reply(self, stage: Stage, then: End = "drop", **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.partial_reply(then)

    @preset()
    def drop_reply(self, stage: Stage, then: End = "drop", **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.drop_reply(then)

    @preset()
    def garbage(
        self, stage: Stage, octets: bytes | str = actions.NONSENSE, **options: Unpack[FaultOptions]
    ) -> FaultAction:
        return actions.garbage(octets)

    @preset()
    def oversized_line(
        self, stage: Stage, octets: int = actions.LONG, **options: Unpack[FaultOptions]
    ) -> FaultAction:
        return actions.oversized_line(octets)

    @preset()
    def malformed(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.malformed()

    @preset()
    def wrong_line_ends(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.wrong_line_ends()

    @preset()
    def duplicate_reply(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.duplicate_reply()


# SMTP and connections --------------------------------------------------------------------------------


class SmtpPresets(CommonPresets):
    """Faults of servers that accept mail."""

    @preset(Stage.CONNECT)
    def refuse_connections(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Refuse connections from now on; those that exist go on.

        The system does it, and knows no client: of options there are ``service``, ``since`` and ``until``.
        """
        return actions.refuse_connections()

    @preset(Stage.CONNECT)
    def hang_connections(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Let clients wait that connect from now on, as at a server whose backlog is full.

        The options are those of :meth:`refuse_connections`.
        """
        return actions.hang_connections()

    @preset(Stage.CONNECT)
    def silent(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Accept connections and never say a word."""
        return actions.no_reply()

    @preset(Stage.SMTP_BANNER)
    def service_unavailable(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Greet with ``421 4.3.2``, and end the connection."""
        return actions.reply(421, "4.3.2", "too busy, try later")

    @preset()
    def reply(
        self,
        stage: Stage,
        code: int | Reply,
        enhanced: str | None = None,
        text: str = "",
        **options: Unpack[FaultOptions],
    ) -> FaultAction:
        return actions.reply(code, enhanced, text)

    @preset(Stage.SMTP_RCPT, once_per="recipient")
    def greylist_first(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Defer each recipient once with ``451 4.7.1``, and accept it when it comes again."""
        return actions.reply(451, "4.7.1", "greylisted, try again")

    @preset(Stage.SMTP_RCPT)
    def mailbox_full(
        self,
        to: str | HasAddress | None = None,
        *,
        for_good: bool = False,
        **options: Unpack[PathFaultOptions],
    ) -> FaultAction:
        """Refuse a recipient with ``452 4.2.2``, or ``for_good`` with ``552 5.2.2``."""
        code, enhanced = (552, "5.2.2") if for_good else (452, "4.2.2")
        return actions.reply(code, enhanced, "the mailbox is full")

    @preset(Stage.SMTP_RCPT)
    def no_such_user(
        self, to: str | HasAddress | None = None, **options: Unpack[PathFaultOptions]
    ) -> FaultAction:
        """Refuse a recipient with ``550 5.1.1``, whether there is an account or not."""
        return actions.reply(550, "5.1.1", "no such user here")

    @preset(Stage.SMTP_END)
    def disk_full(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Defer every message at its end with ``452 4.3.1``."""
        return actions.reply(452, "4.3.1", "out of disk space")

    @preset(Stage.SMTP_END)
    def content_refused(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Refuse every message at its end with ``554 5.6.0``."""
        return actions.reply(554, "5.6.0", "message refused")

    @preset(Stage.SMTP_AUTH)
    def login_unavailable(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Answer every AUTH with ``454 4.7.0``: a temporary failure (RFC 4954 §6)."""
        return actions.reply(454, "4.7.0", "temporary authentication failure")

    @preset(Stage.SMTP_STARTTLS)
    def refuse_starttls(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Offer STARTTLS, and answer it with ``454 4.7.0`` (RFC 3207 §4)."""
        return actions.reply(454, "4.7.0", "TLS is not available")

    @preset(Stage.SMTP_HELO)
    def strip_starttls(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Do not offer STARTTLS, as behind an attacker who takes it out on the way."""
        return actions.hide("STARTTLS")

    @preset(Stage.SMTP_STARTTLS)
    def inject_after_starttls(self, octets: bytes | str, **options: Unpack[FaultOptions]) -> FaultAction:
        """Send clear text right behind the reply to STARTTLS, which a client must discard."""
        return actions.inject(octets)

    @preset(Stage.SMTP_END)
    def drop_final_reply(self, then: End = "drop", **options: Unpack[FaultOptions]) -> FaultAction:
        """Accept the message, and ``"drop"`` or ``"reset"`` the connection (or ``"hang"``) instead of saying so."""
        return actions.drop_reply(then)

    @preset(Stage.SMTP_END)
    def deliver_twice(self, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.deliver_twice()

    @preset(Stage.SMTP_END)
    def pretend_success(
        self, to: str | HasAddress | None = None, **options: Unpack[PathFaultOptions]
    ) -> FaultAction | list[FaultPart]:
        """Say yes and let the message disappear: for one recipient, or every message."""
        action = actions.pretend_success()
        return action if to is None else [FaultPart(action, Stage.SMTP_RCPT)]

    @preset(Stage.SMTP_END)
    def corrupt(self, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.corrupt()

    @preset(Stage.SMTP_END)
    def truncate(self, keep: int | None = None, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.truncate(keep)

    @preset(Stage.SMTP_END)
    def reorder(self, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.reorder()

    @preset(Stage.SMTP_DATA)
    def accept_smuggled_end(self, *ends: bytes | str, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.accept_smuggled_end(*ends)


# IMAP and POP3 ---------------------------------------------------------------------------------------


class MailboxPresets(PresetTarget):
    """Faults of servers from which mail is read."""

    @preset()
    def refuse(
        self,
        stage: Stage,
        code: str = "",
        text: str = "not today",
        *,
        bad: bool = False,
        **options: Unpack[FaultOptions],
    ) -> FaultAction:
        """Refuse a command of IMAP or POP3, perhaps with a response code: ``NO [UNAVAILABLE] not today``.

        ``bad`` makes it BAD in IMAP: what the client said is wrong.
        """
        return actions.refuse(code, text, "BAD" if bad else "NO")

    @preset()
    def fake_success(self, stage: Stage, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.fake_success()

    @preset()
    def remove_message(self, stage: Stage, number: int = 1, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.remove_message(number)

    @preset()
    def close_after_reply(
        self, stage: Stage, then: End = "drop", **options: Unpack[FaultOptions]
    ) -> FaultAction:
        return actions.close_after_reply(then)

    @preset()
    def wrong_size(self, stage: Stage, by: int = 1, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.wrong_size(by)

    @preset(Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE)
    def reject_login(
        self,
        code: str = "AUTHENTICATIONFAILED",
        text: str = "Authentication failed.",
        **options: Unpack[FaultOptions],
    ) -> FaultAction:
        """LOGIN and AUTHENTICATE are refused: ``"UNAVAILABLE"``, ``"EXPIRED"``, ``"LIMIT"``... (RFC 5530)."""
        return actions.refuse(code, text)

    @preset(Stage.IMAP_LOGIN, Stage.IMAP_AUTHENTICATE)
    def throttle_login(self, span: timedelta, **options: Unpack[FaultOptions]) -> FaultAction:
        """LOGIN and AUTHENTICATE are answered late, as after too many tries."""
        return actions.delay(span)

    @preset(Stage.IMAP_APPEND)
    def over_quota(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """APPEND is refused, for the account is full: ``NO [OVERQUOTA]`` (RFC 9208 §4.3.1)."""
        return actions.refuse("OVERQUOTA", "The account is full.")

    @preset()
    def bump_uidvalidity(
        self, stage: Stage = Stage.IMAP_SELECT, **options: Unpack[FaultOptions]
    ) -> FaultAction:
        """Before the command the mailbox gets another UIDVALIDITY and other uids (RFC 9051 §2.3.1.1).

        At SELECT the client sees the new one; in the middle of a session it is sent away.
        """
        return actions.bump_uidvalidity()

    @preset(Stage.IMAP_FETCH)
    def concurrent_expunge(self, number: int = 1, **options: Unpack[FaultOptions]) -> FaultAction:
        """Before FETCH is answered, another client expunges a message."""
        return actions.remove_message(number)

    @preset()
    def bye_mid_response(
        self,
        code: str = "UNAVAILABLE",
        text: str = "The server is going down.",
        *,
        stage: Stage = Stage.IMAP_FETCH,
        **options: Unpack[FaultOptions],
    ) -> FaultAction:
        return actions.bye_mid_response(code, text)

    @preset(Stage.IMAP_FETCH)
    def truncate_literal(self, then: End = "drop", **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.truncate_literal(then)

    @preset(Stage.IMAP_IDLE)
    def drop_idle(
        self, *, at: str = "start", then: End = "drop", **options: Unpack[FaultOptions]
    ) -> list[FaultPart]:
        """The connection ends in IDLE: behind the go-ahead, or ``at="updates"`` in place of the untagged responses."""
        moments = {"start": actions.close_after_reply(then), "updates": actions.drop_reply(then)}
        if at not in moments:
            raise DeclarationError(
                f"drop_idle: a connection in IDLE ends at 'start' or at 'updates', not {at!r}."
            )
        return [FaultPart(moments[at], options={"argument": IdleMoment(at).value})]

    @preset()
    def suppress_untagged(
        self, stage: Stage = Stage.IMAP_IDLE, **options: Unpack[FaultOptions]
    ) -> FaultAction:
        """Messages that have come or gone are not told of: no EXISTS, no EXPUNGE, in IDLE or in another answer."""
        return actions.suppress_untagged()

    @preset()
    def send_untagged(self, stage: Stage, *responses: str, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.send_untagged(*responses)

    @preset(Stage.POP3_PASS, Stage.POP3_AUTH)
    def lock_maildrop(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """PASS and AUTH are refused, for another session has the maildrop: ``-ERR [IN-USE]`` (RFC 2449 §8.1.2)."""
        return actions.refuse("IN-USE", "another session has the maildrop")

    @preset(Stage.POP3_PASS, Stage.POP3_AUTH)
    def reject_pop3_login(
        self, code: str = "AUTH", text: str = "authentication failed", **options: Unpack[FaultOptions]
    ) -> FaultAction:
        """PASS and AUTH are refused: ``"AUTH"``, ``"LOGIN-DELAY"``, ``"SYS/TEMP"``, ``"SYS/PERM"`` (RFC 3206)."""
        return actions.refuse(code, text)

    @preset(Stage.POP3_RETR)
    def partial_retr(self, then: End = "drop", **options: Unpack[FaultOptions]) -> FaultAction:
        """The connection ends in the middle of a message that RETR sends."""
        return actions.partial_reply(then)

    @preset()
    def no_final_dot(self, stage: Stage = Stage.POP3_RETR, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.no_final_dot()

    @preset(Stage.POP3_UIDL)
    def change_uidl(self, prefix: str = "other-", **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.change_uidl(prefix)

    @preset(Stage.POP3_QUIT)
    def keep_deleted(self, *, silently: bool = False, **options: Unpack[FaultOptions]) -> FaultAction:
        """QUIT removes nothing that was marked with DELE: it fails, or ``silently`` says yes (RFC 1939 §6)."""
        if silently:
            return actions.fake_success()
        return actions.refuse("SYS/TEMP", "some deleted messages were not removed")


# TLS and HTTPS ---------------------------------------------------------------------------------------

_BAD_SERVER_HELLO: Final = b"\x16\x03\x03\x00\x04\x02\xff\xff\xff"
_NO_ENCRYPTION: Final = "ECDHE-ECDSA-NULL-SHA"


class TlsPresets(PresetTarget):
    """Faults of TLS, implicit or by STARTTLS; ``argument`` is the name that the client asks for (SNI)."""

    @preset(Stage.TLS_HANDSHAKE)
    def present_certificate(self, flaw: str, **options: Unpack[FaultOptions]) -> FaultAction:
        """Present a certificate with one of the flaws of :data:`fakemail.tls.flaws.FLAWS`.

        ``host.certificate(flaw=...)`` does that for everybody and for good, and counts nothing.
        """
        return actions.present_certificate(flaw)

    @preset(Stage.TLS_HANDSHAKE)
    def expired_certificate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate was good until yesterday."""
        return actions.present_certificate("expired")

    @preset(Stage.TLS_HANDSHAKE)
    def not_yet_valid_certificate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate will be good in two days."""
        return actions.present_certificate("not_yet_valid")

    @preset(Stage.TLS_HANDSHAKE)
    def wrong_name_certificate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate is for another host."""
        return actions.present_certificate("wrong_name")

    @preset(Stage.TLS_HANDSHAKE)
    def unknown_authority(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate is from an authority that clients do not know."""
        return actions.present_certificate("unknown_authority")

    @preset(Stage.TLS_HANDSHAKE)
    def self_signed_certificate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate is signed by itself."""
        return actions.present_certificate("self_signed")

    @preset(Stage.TLS_HANDSHAKE)
    def missing_intermediate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The server does not send the certificate of the authority between."""
        return actions.present_certificate("missing_intermediate")

    @preset(Stage.TLS_HANDSHAKE)
    def revoked_certificate(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The certificate was revoked; clients see it that look at ``mailnet.crl_file``."""
        return actions.present_certificate("revoked")

    @preset(Stage.TLS_HANDSHAKE)
    def weak_key(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """The key of the certificate is RSA of 1024 bits."""
        return actions.present_certificate("weak_key")

    @preset(Stage.TLS_HANDSHAKE)
    def only_tls(self, *versions: str, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.only_tls(*versions)

    @preset(Stage.TLS_HANDSHAKE)
    def old_tls(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Speak TLS 1.0 and 1.1 only, which are deprecated (RFC 8996)."""
        return actions.only_tls("TLSv1", "TLSv1.1")

    @preset(Stage.TLS_HANDSHAKE)
    def only_ciphers(self, ciphers: str, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.only_ciphers(ciphers)

    @preset(Stage.TLS_HANDSHAKE)
    def weak_cipher(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Know a cipher only that does not encrypt, in TLS 1.2."""
        return actions.only_ciphers(_NO_ENCRYPTION)

    @preset(Stage.TLS_HANDSHAKE)
    def tls_alert(self, alert: str = "handshake_failure", **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.tls_alert(alert)

    @preset(Stage.TLS_HANDSHAKE)
    def reset_handshake(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Reset the connection when the client has begun the handshake."""
        return actions.reset()

    @preset(Stage.TLS_HANDSHAKE)
    def drop_handshake(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Close the connection when the client has begun the handshake."""
        return actions.drop()

    @preset(Stage.TLS_HANDSHAKE)
    def hang_handshake(self, **options: Unpack[FaultOptions]) -> FaultAction:
        """Say nothing when the client has begun the handshake."""
        return actions.no_reply()

    @preset(Stage.TLS_HANDSHAKE)
    def partial_handshake(self, then: End = "reset", **options: Unpack[FaultOptions]) -> FaultAction:
        """Send the half of the server's first flight, and reset the connection (or end it otherwise)."""
        return actions.partial_reply(then)

    @preset(Stage.TLS_HANDSHAKE)
    def garbage_handshake(
        self, octets: bytes | str = _BAD_SERVER_HELLO, **options: Unpack[FaultOptions]
    ) -> FaultAction:
        """Answer the client with nonsense: a ServerHello that is none, or what is given."""
        return actions.garbage(octets)

    @preset(Stage.HTTP_REQUEST)
    def http_status(self, status: int, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.http_status(status)

    @preset(Stage.HTTP_REQUEST)
    def http_body(self, body: str | bytes, **options: Unpack[FaultOptions]) -> FaultAction:
        return actions.http_body(body)


# DNS -------------------------------------------------------------------------------------------------


class DnsPresets(PresetTarget):
    """Faults of the name server's answers: of a name, a pattern with ``*``, or all names."""

    option_names = PresetTarget.option_names | {"type"}

    def _zones_now(self) -> Zones:
        """A copy of what the name server knows."""
        raise NotImplementedError

    @preset(Stage.DNS_QUERY)
    def rcode(self, rcode: str, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.rcode(rcode)

    @preset(Stage.DNS_QUERY)
    def servfail(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """The name server fails: SERVFAIL, after which a sender of mail waits (RFC 5321 §5.1)."""
        return actions.rcode("SERVFAIL")

    @preset(Stage.DNS_QUERY)
    def nxdomain(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """The name does not exist: NXDOMAIN, whatever the zone has."""
        return actions.rcode("NXDOMAIN")

    @preset(Stage.DNS_QUERY)
    def refused(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """The name server does not answer such questions: REFUSED."""
        return actions.rcode("REFUSED")

    @preset(Stage.DNS_QUERY)
    def not_implemented(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """The name server cannot answer such questions: NOTIMP."""
        return actions.rcode("NOTIMP")

    @preset(Stage.DNS_QUERY)
    def format_error(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """The name server does not understand the question: FORMERR."""
        return actions.rcode("FORMERR")

    @preset(Stage.DNS_QUERY)
    def no_data(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.no_data()

    @preset(Stage.DNS_QUERY)
    def timeout(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """No answer ever comes. To hosts of the fake internet that is a timeout at once."""
        return actions.no_reply()

    @preset(Stage.DNS_QUERY)
    def delay(
        self, span: timedelta, name: str | None = None, **options: Unpack[DnsFaultOptions]
    ) -> FaultAction:
        """The answer comes late: in real seconds to the app. To hosts of the fake internet 5 seconds are too late."""
        return actions.delay(span)

    @preset(Stage.DNS_QUERY)
    def truncate_answer(
        self, name: str | None = None, *, tcp: bool = True, **options: Unpack[DnsFaultOptions]
    ) -> list[FaultPart]:
        """The answer does not fit into a datagram, so that it is asked for over TCP.

        Without ``tcp`` the connection is reset there, by a second fault that goes with this one.
        """
        over_udp = FaultPart(actions.truncate_answer(), options={"transport": "udp"})
        over_tcp = FaultPart(actions.reset(), options={"transport": "tcp"})
        return [over_udp] if tcp else [over_udp, over_tcp]

    @preset(Stage.DNS_QUERY)
    def records(
        self, name: str, type: str, *values: str, ttl: int = 300, **options: Unpack[TransportFaultOptions]
    ) -> FaultAction:
        return actions.records(*values, ttl=ttl)

    @preset(Stage.DNS_QUERY)
    def rotate_records(
        self,
        name: str,
        type: str,
        *sets: str | tuple[str, ...] | list[str],
        ttl: int = 300,
        **options: Unpack[TransportFaultOptions],
    ) -> FaultAction:
        return actions.rotate_records(*sets, ttl=ttl)

    @preset(Stage.DNS_QUERY)
    def stale_answer(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """Answer as of now whatever is changed later, as a resolver that has it in its cache for ever."""
        from fakemail.dns.lookup import lookup

        zones = self._zones_now()
        return actions.stale_answer(lambda key, asked: lookup(zones, key, asked))

    @preset(Stage.DNS_QUERY)
    def cname_loop(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.cname_loop()

    @preset(Stage.DNS_QUERY)
    def lame_delegation(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.lame_delegation()

    @preset(Stage.DNS_QUERY, type="TXT")
    def split_text(
        self, name: str | None = None, *, size: int = 20, **options: Unpack[DnsFaultOptions]
    ) -> FaultAction:
        return actions.split_text(size)

    @preset(Stage.DNS_QUERY)
    def shuffle_records(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.shuffle_records()

    @preset(Stage.DNS_QUERY)
    def duplicate_records(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.duplicate_records()

    @preset(Stage.DNS_QUERY)
    def ttl(self, ttl: int, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """Give the records this time to live, in seconds: 0, or far too long."""
        return actions.ttl(ttl)

    @preset(Stage.DNS_QUERY)
    def no_additional(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.no_additional()

    @preset(Stage.DNS_QUERY)
    def claim_authentic(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.claim_authentic()

    @preset(Stage.DNS_QUERY)
    def wrong_id(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.wrong_id()

    @preset(Stage.DNS_QUERY)
    def wrong_question(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.wrong_question()

    @preset(Stage.DNS_QUERY)
    def malformed_answer(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        return actions.malformed_answer()

    @preset(Stage.DNS_QUERY)
    def garbage(self, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> FaultAction:
        """Answer that is no DNS message at all."""
        return actions.garbage()
