"""The faults of one host: decides, and counts what struck and what never did."""

from __future__ import annotations

from fakemail.faults.rule import Action, Facts, RefuseConnections, Rule
from fakemail.terms.stage import Stage


class Book:
    """Rules in the order in which they were added; the first that fits and strikes decides."""

    def __init__(self) -> None:
        self.in_force: dict[Stage, list[Rule]] = {}
        """The rules by stage; those who have to be quick look whether it is empty before they ask anything."""

    def __bool__(self) -> bool:
        return bool(self.in_force)

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force."""
        self.in_force.setdefault(rule.stage, []).append(rule)
        return rule

    def lift(self, rule: Rule) -> None:
        """Take a rule out of force; one that is not in force stays so."""
        rules = self.in_force.get(rule.stage, [])
        if rule in rules:
            rules.remove(rule)
            if not rules:
                del self.in_force[rule.stage]

    def rules(self) -> list[Rule]:
        """All rules in force."""
        return [rule for rules in self.in_force.values() for rule in rules]

    def decide(self, stage: Stage, facts: Facts) -> Action | None:
        """What goes wrong here and now, if anything does."""
        for rule in self.in_force.get(stage, ()):
            if rule.where.fits(facts):
                rule.occasions += 1
                if rule.when.strikes(rule.occasions):
                    rule.fired += 1
                    return rule.action
        return None

    @property
    def refuses_connections(self) -> bool:
        """Whether nobody shall be able to connect."""
        return any(
            isinstance(rule.action, RefuseConnections) for rule in self.in_force.get(Stage.CONNECT, ())
        )
