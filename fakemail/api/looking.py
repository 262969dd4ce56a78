"""Looking at a fake internet: events, journeys, transcripts, exports. Nothing here waits or changes anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from fakemail.api import config as configuration
from fakemail.api.accounts import BaseAccount, BaseInbox
from fakemail.api.hosts import Host
from fakemail.api.progress import with_notes
from fakemail.api.results import Results
from fakemail.errors import MailAssertionError
from fakemail.events import journey as journeys
from fakemail.events.export import to_json_lines
from fakemail.events.journey import Journey
from fakemail.events.kinds import Event
from fakemail.events.refusals import refused_lines
from fakemail.events.transcript import Order
from fakemail.events.transcript import transcript as print_transcript
from fakemail.model.toml_writer import to_toml
from fakemail.types.address import Address, address
from fakemail.types.domains import a_labels
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.api.mailnet import AnyNet

_Who: TypeAlias = str | Address | BaseAccount[Any]


class Looking(Suggests):
    """What a test can look at."""

    @property
    def _net(self) -> AnyNet:
        raise NotImplementedError

    def events(self, stage: Stage | None = None, *, host: str | Host | None = None) -> Results[Event]:
        """What happened, oldest first: everything, or what happened at one stage or host."""
        name = None if host is None else _name_of(host)
        where = "".join([f" at {stage}" if stage else "", f" on {name}" if name else ""])
        return Results(self._net.internet.log.events(stage, host=name), question=f"the events{where}")

    def journeys(
        self,
        *,
        to: _Who | None = None,
        sender: _Who | None = None,
        subject: str | None = None,
        message_id: str | None = None,
    ) -> Results[Journey]:
        """The ways of messages to their recipients, one journey for each recipient, oldest first."""
        found = journeys.find(
            self._net.internet.log.events(),
            to=None if to is None else str(to),
            sender=None if sender is None else str(sender),
            subject=subject,
            message_id=message_id,
        )
        found = with_notes(self._net.internet, found, call=self._net.call)
        asked = {"to": to, "sender": sender, "subject": subject, "message_id": message_id}
        said = ", ".join(f"{name}={str(value)!r}" for name, value in asked.items() if value is not None)
        return Results(found, question=f"the journeys with {said}" if said else "the journeys")

    def journey(
        self,
        *,
        to: _Who | None = None,
        sender: _Who | None = None,
        subject: str | None = None,
        message_id: str | None = None,
    ) -> Journey:
        """The one journey that fits. Raises :class:`~fakemail.errors.MailAssertionError` for none or several."""
        __tracebackhide__ = True
        found = self.journeys(to=to, sender=sender, subject=subject, message_id=message_id)
        if len(found) != 1:
            every = found or self.journeys()
            lines = [f"expected one of {found.question}, but there are {len(found) or 'none'}."]
            lines += [f"  {journey!r}" for journey in every[:20]]
            if not found:
                lines += [f"  {line}" for line in refused_lines(self._net.internet.log.events())]
            raise MailAssertionError("\n".join(lines))
        return found[0]

    def transcript(
        self, *, host: str | Host | None = None, connection: int | None = None, in_time: bool = False
    ) -> str:
        """All that was said, in readable lines, secrets masked; by connection, or in the order of time."""
        return print_transcript(
            self._net.internet.log.events(),
            connection=connection,
            host=None if host is None else _name_of(host),
            order=Order.TIME if in_time else Order.CONNECTION,
        )

    def to_toml(self) -> str:
        """What is declared now, with all passwords, as the text of a configuration; mail is not in it."""
        return to_toml(configuration.write_down(self._net))

    def export(self, path: str | Path | None = None) -> str:
        """Every event as a line of JSON, secrets masked; written to a file as well if a path is given."""
        text = to_json_lines(self._net.internet.log.events())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def other_inboxes(self, box: BaseInbox) -> list[BaseInbox]:
        """The mailboxes of all other accounts that have one."""
        return [
            BaseInbox(self._net, owner, name)
            for owner, name in self._net.internet.store.mailboxes()
            if (owner.key, name) != (address(box.address).key, box.name)
        ]


def _name_of(host: str | Host) -> str:
    return host.name if isinstance(host, Host) else a_labels(host)
