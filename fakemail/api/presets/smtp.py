"""Faults of connections and of SMTP by plain names. ``where_and_when`` is as in ``add()`` throughout."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakemail import faults
from fakemail.api.presets.adding import FaultTarget
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.faults import Fault
    from fakemail.types.address import HasAddress


class SmtpPresets(FaultTarget):
    """What goes wrong most often."""

    # Connections ---------------------------------------------------------------------------------

    def refuse_connections(self, **when: Any) -> Fault:
        """Nobody can connect from now on; connections that exist go on.

        The system refuses, whoever connects: of options there are ``service``, ``since`` and ``until``.
        """
        return self.add(Stage.CONNECT, faults.refuse_connections(), **when)

    def hang_connections(self, **when: Any) -> Fault:
        """Whoever connects from now on waits, as at a server whose backlog is full.

        The options are those of :meth:`refuse_connections`.
        """
        return self.add(Stage.CONNECT, faults.hang_connections(), **when)

    def silent(self, **where_and_when: Any) -> Fault:
        """Take connections in and never say a word."""
        return self.add(Stage.CONNECT, faults.no_reply(), **where_and_when)

    def service_unavailable(self, **where_and_when: Any) -> Fault:
        """Greet with ``421 4.3.2``, and end the connection."""
        return self.add(
            Stage.SMTP_BANNER, faults.reply(421, "4.3.2", "too busy, try later"), **where_and_when
        )

    # At any stage --------------------------------------------------------------------------------

    def reply(self, stage: Stage, reply: Reply, **where_and_when: Any) -> Fault:
        """Answer so at a stage. A command that is answered with 4yz or 5yz is not carried out."""
        return self.add(stage, faults.reply(reply), **where_and_when)

    def drop(self, stage: Stage, **where_and_when: Any) -> Fault:
        """End the connection instead of answering at a stage."""
        return self.add(stage, faults.drop(), **where_and_when)

    def close(self, stage: Stage, **where_and_when: Any) -> Fault:
        """End the connection politely at a stage: 421 in SMTP, BYE in IMAP."""
        return self.add(stage, faults.close(), **where_and_when)

    def reset(self, stage: Stage, **where_and_when: Any) -> Fault:
        """Reset the connection at a stage, so that the client's system speaks of an error."""
        return self.add(stage, faults.reset(), **where_and_when)

    def no_reply(self, stage: Stage, **where_and_when: Any) -> Fault:
        """Fall silent at a stage, and keep the connection open."""
        return self.add(stage, faults.no_reply(), **where_and_when)

    def delay(self, stage: Stage, span: timedelta, **where_and_when: Any) -> Fault:
        """Answer late at a stage: by the fake clock to hosts of the fake internet, in real time to others."""
        return self.add(stage, faults.delay(span), **where_and_when)

    def trickle(self, stage: Stage, **where_and_when: Any) -> Fault:
        """Answer octet by octet at a stage."""
        return self.add(stage, faults.trickle(), **where_and_when)

    def garbage(self, stage: Stage, **where_and_when: Any) -> Fault:
        """Answer nonsense at a stage."""
        return self.add(stage, faults.garbage(), **where_and_when)

    # Refusals ------------------------------------------------------------------------------------

    def greylist_first(self, **where_and_when: Any) -> Fault:
        """Defer each recipient once with ``451 4.7.1``, and take it when it comes again."""
        when = {"once_per": "recipient"} | where_and_when
        return self.add(Stage.SMTP_RCPT, faults.reply(451, "4.7.1", "greylisted, try again"), **when)

    def mailbox_full(
        self, to: str | HasAddress | None = None, *, for_good: bool = False, **where_and_when: Any
    ) -> Fault:
        """Refuse a recipient with ``452 4.2.2``, or ``for_good`` with ``552 5.2.2``."""
        reply = faults.reply(
            552 if for_good else 452, "5.2.2" if for_good else "4.2.2", "the mailbox is full"
        )
        return self.add(Stage.SMTP_RCPT, reply, to=to, **where_and_when)

    def no_such_user(self, to: str | HasAddress | None = None, **where_and_when: Any) -> Fault:
        """Refuse a recipient with ``550 5.1.1``, whether there is an account or not."""
        reply = faults.reply(550, "5.1.1", "no such user here")
        return self.add(Stage.SMTP_RCPT, reply, to=to, **where_and_when)

    def disk_full(self, **where_and_when: Any) -> Fault:
        """Defer every message at its end with ``452 4.3.1``."""
        return self.add(Stage.SMTP_END, faults.reply(452, "4.3.1", "out of disk space"), **where_and_when)

    def content_refused(self, **where_and_when: Any) -> Fault:
        """Refuse every message at its end with ``554 5.6.0``."""
        return self.add(Stage.SMTP_END, faults.reply(554, "5.6.0", "message refused"), **where_and_when)

    def login_unavailable(self, **where_and_when: Any) -> Fault:
        """Answer every AUTH with ``454 4.7.0``: a temporary failure (RFC 4954 §6)."""
        return self.add(
            Stage.SMTP_AUTH, faults.reply(454, "4.7.0", "temporary authentication failure"), **where_and_when
        )

    # STARTTLS ------------------------------------------------------------------------------------

    def refuse_starttls(self, **where_and_when: Any) -> Fault:
        """Offer STARTTLS, and answer it with ``454 4.7.0`` (RFC 3207 §4)."""
        reply = faults.reply(454, "4.7.0", "TLS is not available")
        return self.add(Stage.SMTP_STARTTLS, reply, **where_and_when)

    def strip_starttls(self, **where_and_when: Any) -> Fault:
        """Do not offer STARTTLS, as behind somebody who takes it out on the way."""
        return self.add(Stage.SMTP_HELO, faults.hide("STARTTLS"), **where_and_when)

    def inject_after_starttls(self, octets: bytes | str, **where_and_when: Any) -> Fault:
        """Send clear text right behind the reply to STARTTLS, which a client must throw away."""
        return self.add(Stage.SMTP_STARTTLS, faults.inject(octets), **where_and_when)

    # Messages ------------------------------------------------------------------------------------

    def drop_final_reply(self, how: str = "drop", **where_and_when: Any) -> Fault:
        """Take the message, and end the connection (``"drop"``, ``"reset"``, ``"hang"``) instead of saying so."""
        return self.add(Stage.SMTP_END, faults.drop_reply(how), **where_and_when)

    def deliver_twice(self, **where_and_when: Any) -> Fault:
        """Take every message twice."""
        return self.add(Stage.SMTP_END, faults.deliver_twice(), **where_and_when)

    def pretend_success(self, to: str | HasAddress | None = None, **where_and_when: Any) -> Fault:
        """Say yes and let the message disappear: for one recipient, or every message."""
        stage = Stage.SMTP_END if to is None else Stage.SMTP_RCPT
        return self.add(stage, faults.pretend_success(), to=to, **where_and_when)

    def corrupt(self, **where_and_when: Any) -> Fault:
        """Take every message with one letter of its body changed."""
        return self.add(Stage.SMTP_END, faults.corrupt(), **where_and_when)

    def truncate(self, **where_and_when: Any) -> Fault:
        """Take every message with half of its body."""
        return self.add(Stage.SMTP_END, faults.truncate(), **where_and_when)

    def accept_smuggled_end(self, *ends: bytes | str, **where_and_when: Any) -> Fault:
        """Take what is no end of a message for one, as servers do that fall for SMTP smuggling."""
        return self.add(Stage.SMTP_DATA, faults.accept_smuggled_end(*ends), **where_and_when)
