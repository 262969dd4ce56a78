"""The faults of a host as one session meets them. What an action does to a command is the session's part."""

from __future__ import annotations

from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.types.address import Path
from fakemail.types.peer import Peer
from fakemail.types.stage import Stage


class FaultInjector:
    """Held by a session, which asks it at each stage while its host has any active fault."""

    __slots__ = (
        "_connection",
        "_service",
        "advertised",
        "client",
        "hidden",
        "host",
        "keeps_plaintext",
        "on_answer",
        "on_command",
    )

    def __init__(self, host: HostFaults | None, client: Peer, service: str, connection: int) -> None:
        self.host = HostFaults() if host is None else host
        """The faults of the host. Look whether ``host.active`` is empty before asking anything."""
        self.client = client
        self._service = service
        self._connection = connection
        self.on_answer: FaultAction | None = None
        """The action that gets the answer to the command at hand."""
        self.on_command: FaultAction | None = None
        """The action that the handler of the command at hand has to do by itself."""
        self.hidden: frozenset[str] = frozenset()
        """Keywords, in capitals, that the server denies."""
        self.advertised: tuple[str, ...] = ()
        """Keywords that the server lists without having them."""
        self.keeps_plaintext = False
        """Whether plaintext sent behind STARTTLS counts as sent over TLS (the flaw of RFC 3207 §5)."""

    def decide(
        self,
        stage: Stage,
        *,
        login: str = "",
        sender: Path | None = None,
        recipients: tuple[Path, ...] = (),
        argument: str = "",
        subject: str = "",
        message: str = "",
        octets: int = 0,
    ) -> FaultAction | None:
        """The action of the fault that fires at this stage, ``None`` if none does."""
        context = FaultContext(
            client=self.client,
            connection=self._connection,
            service=self._service,
            login=login,
            sender=sender,
            recipients=recipients,
            argument=argument,
            subject=subject,
            message=message,
            octets=octets,
        )
        action = self.host.decide(stage, context)
        return action.wanted(stage, context) if isinstance(action, actions.as_address_says) else action

    def take_on_command(self) -> FaultAction | None:
        """The action for the handler; it is done once."""
        action, self.on_command = self.on_command, None
        return action
