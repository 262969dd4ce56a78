"""Faults over time: which are active now, at which hosts, and when that changes next."""

from __future__ import annotations

from collections.abc import Mapping

from fakemail.clock import Job
from fakemail.environment import Environment
from fakemail.events.kinds import FaultFired
from fakemail.faults.context import FaultContext
from fakemail.faults.registry import FaultRegistry
from fakemail.faults.rule import FaultRule
from fakemail.runtime.service_port import RunningHost
from fakemail.types.stage import Stage


def fault_registry(environment: Environment, *, seed: int) -> FaultRegistry:
    """A registry whose faults fire at the hosts of the described world, and are on record when they do."""
    world, log = environment.world, environment.log

    def hosts_of(domain: str, stage: Stage) -> tuple[str, ...]:
        """Hosts of a domain's faults: its mail hosts, or where its mail is read; for AUTH where it submits."""
        described = world.domains.get(domain)
        if described is None:
            return ()
        if stage.value.startswith(("imap.", "pop3.")):
            return (described.imap_host,)
        own = described.mail_hosts
        return (*own, described.submission_host) if stage is Stage.SMTP_AUTH else own

    def note_fired(host: str, rule: FaultRule, facts: FaultContext) -> None:
        log.append(
            FaultFired(
                stage=rule.stage,
                host=host,
                connection=facts.connection,
                action=str(rule.action),
                rule=rule.title,
            )
        )

    return FaultRegistry(now=environment.clock.now, seed=seed, hosts_of=hosts_of, on_fired=note_fired)


class FaultUpdates:
    """Keeps the running hosts in step with the faults."""

    def __init__(
        self, environment: Environment, *, faults: FaultRegistry, hosts: Mapping[str, RunningHost]
    ) -> None:
        """``hosts`` are those that run."""
        self._clock = environment.clock
        self._tasks = environment.tasks
        self._faults = faults
        self._hosts = hosts
        self._job: Job | None = None

    async def apply(self) -> None:
        """Act on a change of what is active, and be there for the next one that time brings."""
        self._faults.refresh()
        for running in self._hosts.values():
            await running.apply_faults()
        if self._job is not None:
            self._job.cancel()
        due = self._faults.next_change()
        self._job = None if due is None else self._clock.at(due, self._apply_later, name="faults")

    def _apply_later(self) -> None:
        self._faults.refresh()
        self._tasks.spawn(self.apply(), "faults")
