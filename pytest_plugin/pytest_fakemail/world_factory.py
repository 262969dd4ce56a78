"""Opening the worlds of a test run as its options say, and closing them in the end."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import pytest

from fakemail import DeclarationError
from fakemail.api.config import load
from fakemail.api.faults import declare
from pytest_fakemail.options import Options, of_item, read
from pytest_fakemail.stash import CALLED, SHARED, TRIAL, WORLDS
from pytest_fakemail.worlds import World

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet

_Net = TypeVar("_Net", bound="BaseMailNet[Any, Any]")


def open_own(kind: type[_Net], item: pytest.Item) -> _Net:
    """A world for one test, as its markers say."""
    __tracebackhide__ = True
    try:
        net = _open(kind, of_item(item), item.stash.setdefault(WORLDS, []))
        if TRIAL in item.stash:
            item.stash[TRIAL].begin(net._portal)
        return net
    except pytest.UsageError as error:
        mistake = str(error)
    except DeclarationError as error:
        mistake = f"{item.nodeid}: mailnet(): {error}"
    # A mark is at fault, and no line of code that could be shown.
    pytest.fail(mistake, pytrace=False)


def conclude(item: pytest.Item, net: BaseMailNet[Any, Any]) -> None:
    """The test is over, and its world is about to end."""
    if TRIAL in item.stash:
        from pytest_fakemail.sweeping import conclude

        conclude(item, net)


def _open(kind: type[_Net], options: Options, worlds: list[World]) -> _Net:
    __tracebackhide__ = True
    net = kind(**_arguments(options))
    net._portal.again = f"--mailnet-seed={net.seed}"
    net.start()
    worlds.append(World(net, allow=options.allow))
    try:
        for domain in options.domains:
            net.domain(domain)
        net.accounts(*options.accounts)
        for table in options.faults:
            declare(net._portal, table)
        if options.redirect:
            net.redirect(children=options.children)
    except BaseException:
        net.close()
        raise
    return net


def _arguments(options: Options) -> dict[str, Any]:
    """The arguments for a MailNet."""
    arguments: dict[str, Any] = {
        "grease": options.grease,
        "seed": options.seed,
        "real_ports": options.real_ports,
        "sink": options.sink,
    }
    if options.timeout is not None:
        arguments["timeout"] = options.timeout
    if options.config is not None:
        described = arguments["config"] = load(options.config)
        if options.seed is None:
            arguments["seed"] = described.seed
        if options.grease is None:
            arguments["grease"] = described.grease
    if arguments["seed"] is None:
        arguments["seed"] = options.default_seed
    if arguments["grease"] is None:
        arguments["grease"] = options.default_grease
    return arguments


class WorldFactory(Generic[_Net]):
    """Makes worlds that live until they are closed, at the latest until the end of the session."""

    def __init__(self, config: pytest.Config, kind: type[_Net], name: str) -> None:
        self._config = config
        self._kind = kind
        self._name = name
        self._worlds: list[World] = config.stash.setdefault(SHARED, [])
        self._number = count(1)
        self._exits = ExitStack()

    def __call__(self, **options: Any) -> _Net:
        """A new fake internet that runs already: for a ``with`` block, or to be left to the session's end.

        The options are those of the mark ``mailnet``; a relative ``config=`` starts at pytest's rootdir.
        """
        __tracebackhide__ = True
        wanted = read(
            options,
            config=self._config,
            base=self._config.rootpath,
            seed_text=f"{self._name} {next(self._number)}",
            where=f"{self._name}()",
        )
        net = _open(self._kind, wanted, self._worlds)
        self._worlds[-1].keep_faults(0)
        self._worlds[-1].expect_fired(self._config.stash.get(CALLED, False))
        self._exits.callback(net.close)
        return net

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._exits.close()
