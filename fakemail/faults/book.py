"""The faults of one host: decides, and counts what struck and what never did."""

from __future__ import annotations

from fakemail.faults.rule import Action, Facts, RefuseConnections, Rule
from fakemail.terms.stage import Stage


class Book:
    """Rules in the order in which they were added; the first that fits and strikes decides."""

    def __init__(self) -> None:
        self._rules: dict[Stage, list[Rule]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force."""
        self._rules.setdefault(rule.stage, []).append(rule)
        return rule

    def lift(self, rule: Rule) -> None:
        """Take a rule out of force; one that is not in force stays so."""
        rules = self._rules.get(rule.stage, [])
        if rule in rules:
            rules.remove(rule)
            if not rules:
                del self._rules[rule.stage]

    def rules(self) -> list[Rule]:
        """All rules in force."""
        return [rule for rules in self._rules.values() for rule in rules]

    def decide(self, stage: Stage, facts: Facts) -> Action | None:
        """What goes wrong here and now, if anything does."""
        for rule in self._rules.get(stage, ()):
            if rule.where.fits(facts):
                rule.occasions += 1
                if rule.when.strikes(rule.occasions):
                    rule.fired += 1
                    return rule.action
        return None

    @property
    def refuses_connections(self) -> bool:
        """Whether nobody shall be able to connect."""
        return any(isinstance(rule.action, RefuseConnections) for rule in self._rules.get(Stage.CONNECT, ()))
