"""Options of a world, from command line, ini file, marker and factory arguments, all checked here.

The nearest word wins: the marker or argument, then the command line, then the described world, then the ini file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakemail.errors import nearest
from fakemail.types.seeded_random import seed_from
from pytest_fakemail.stash import ORIGINAL

TRANSCRIPT = ("failed", "all")
NAMES = (
    "timeout",
    "seed",
    "domains",
    "accounts",
    "config",
    "strict",
    "allow",
    "grease",
    "redirect",
    "children",
    "real_ports",
    "sink",
    "faults",
)
CHILDREN = ("held", "refused", "free")
STRICT = ("hint", "warning", "error", "off")
HYGIENE = ("on", "retries", "off")


@dataclass(frozen=True, kw_only=True)
class Options:
    """A world as it is wanted."""

    seed: int | None = None
    default_seed: int = 0
    """The seed where neither this nor the configuration has one."""
    timeout: float | None = None
    """Real seconds; ``None`` for the engine's own default."""
    domains: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    config: Path | None = None
    strict: str = "off"
    """The least severity of a finding that fails the test: ``hint``, ``warning``, ``error``; ``off`` for none."""
    allow: tuple[str, ...] = ()
    """The lint rules that may be broken all the same."""
    grease: bool | str | None = None
    """Whether servers say to the app whatever is legal; ``retries`` for refusals for now as well."""
    default_grease: bool | str = False
    """The grease where neither this nor the configuration says anything."""
    redirect: bool = False
    children: str = "held"
    """Treatment of programs that a redirected test starts: ``held``, ``refused``, ``free``."""
    real_ports: bool = False
    sink: bool | None = None
    """Whether mail for every domain is taken; ``None`` for what the configuration says."""
    faults: tuple[Mapping[str, Any], ...] = ()
    """Each as a table of a configuration."""


def check_config(config: pytest.Config) -> None:
    """Raise ``pytest.UsageError`` for a bad option or ini value."""
    chosen = config.option.mailnet_transcript
    if chosen is not None and chosen not in TRANSCRIPT:
        raise pytest.UsageError(
            f"--mailnet-transcript is 'failed' or 'all', not {chosen!r}. "
            "Before the path of a test, write --mailnet-transcript=failed."
        )
    config_seed(config)
    config_timeout(config)
    config_strict(config)
    config_grease(config)
    config_children(config)
    ini_grease(config)
    _allowed(tuple(config.getini("mailnet_allow")), "mailnet_allow in the ini file")


def config_seed(config: pytest.Config) -> int | None:
    """The seed of the command line."""
    given = config.option.mailnet_seed
    return None if given is None else _seed(given, "--mailnet-seed")


def config_timeout(config: pytest.Config) -> float | None:
    """The timeout of the command line, or that of the ini file."""
    given = config.option.mailnet_timeout
    if given is not None:
        return _seconds(given, "--mailnet-timeout")
    given = config.getini("mailnet_timeout")
    return _seconds(given, "mailnet_timeout in the ini file") if given else None


def config_strict(config: pytest.Config) -> str:
    """The strictness of the command line, or else of the ini file."""
    given = config.option.mailnet_strict
    if given is not None:
        return _strict(given, "--mailnet-strict")
    given = config.getini("mailnet_strict")
    return _strict(given, "mailnet_strict in the ini file") if given else "off"


def config_grease(config: pytest.Config) -> bool | str | None:
    """The grease of the command line."""
    given = config.option.mailnet_grease
    return None if given is None else _grease(given, "--mailnet-grease")


def config_children(config: pytest.Config) -> str:
    """Treatment of programs that tests start, by the command line or else by the ini file."""
    given = config.option.mailnet_children
    if given is not None:
        return _children(given, "--mailnet-children")
    return _children(config.getini("mailnet_children") or "held", "mailnet_children in the ini file")


def ini_grease(config: pytest.Config) -> bool | str:
    """The grease of the ini file."""
    given = config.getini("mailnet_grease")
    return _grease(given, "mailnet_grease in the ini file") if given else False


def of_item(item: pytest.Item) -> Options:
    """The options of a test's world; a nearer marker wins over a farther one."""
    __tracebackhide__ = True
    said: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("mailnet"))):
        if mark.args:
            raise pytest.UsageError(
                f"{item.nodeid}: mailnet() takes keywords only, such as timeout=2; got {mark.args[0]!r}."
            )
        said.update(mark.kwargs)
    return read(
        said,
        config=item.config,
        base=item.path.parent,
        seed_text=item.stash.get(ORIGINAL, item.nodeid),
        where=f"{item.nodeid}: mailnet()",
    )


def read(
    said: Mapping[str, Any], *, config: pytest.Config, base: Path, seed_text: str, where: str
) -> Options:
    """Options from keywords. ``base`` is where a relative path of a config file begins."""
    __tracebackhide__ = True
    for name in said:
        if name not in NAMES:
            raise pytest.UsageError(f"{where} has no option {name!r}; {nearest(name, NAMES)}")
    seed = _seed(said["seed"], f"{where}: seed=") if "seed" in said else config_seed(config)
    timeout = _seconds(said["timeout"], f"{where}: timeout=") if "timeout" in said else config_timeout(config)
    return Options(
        seed=seed,
        default_seed=seed_from(seed_text),
        timeout=timeout,
        domains=_texts(said, "domains", where),
        accounts=_texts(said, "accounts", where),
        config=_path(said["config"], base, where) if "config" in said else None,
        strict=_strict(said["strict"], f"{where}: strict=") if "strict" in said else config_strict(config),
        allow=(*config.getini("mailnet_allow"), *_allowed(_texts(said, "allow", where), f"{where}: allow=")),
        grease=_grease(said["grease"], f"{where}: grease=") if "grease" in said else config_grease(config),
        default_grease=ini_grease(config),
        redirect=_flag(said, "redirect", where),
        children=_children(said["children"], f"{where}: children=")
        if "children" in said
        else config_children(config),
        real_ports=_flag(said, "real_ports", where),
        sink=_flag(said, "sink", where) if "sink" in said else config.getini("mailnet_sink") or None,
        faults=_tables(said, "faults", where),
    )


def _seed(value: object, where: str) -> int:
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise pytest.UsageError(f"{where} is a whole number, such as 42, not {value!r}.")


def _seconds(value: object, where: str) -> float:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            seconds = float(value)
            if seconds > 0 and math.isfinite(seconds):
                return seconds
    except ValueError:
        pass
    raise pytest.UsageError(f"{where} is a number of seconds above 0, such as 2.5, not {value!r}.")


def _texts(said: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = said.get(name, ())
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(one, str) for one in value):
        return tuple(value)
    hint = f"; write {name}=[{value!r}]" if isinstance(value, str) else ""
    raise pytest.UsageError(f"{where}: {name}= is a list of texts, not {value!r}{hint}.")


def _tables(said: Mapping[str, Any], name: str, where: str) -> tuple[Mapping[str, Any], ...]:
    value = said.get(name, ())
    if isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value):
        return tuple(value)
    example = '{"host": "mx1.example.org", "stage": "smtp.rcpt", "do": "drop"}'
    raise pytest.UsageError(f"{where}: {name}= is a list of tables such as {example}, not {value!r}.")


def _strict(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "hint" if value else "off"
    if not isinstance(value, str) or value not in STRICT:
        hint = " Before the path of a test, write --mailnet-strict=hint." if where.startswith("--") else ""
        raise pytest.UsageError(f"{where} is one of {', '.join(STRICT)}, not {value!r}.{hint}")
    return value


def _children(value: object, where: str) -> str:
    if not isinstance(value, str) or value not in CHILDREN:
        raise pytest.UsageError(f"{where} is one of {', '.join(CHILDREN)}, not {value!r}.")
    return value


def _grease(value: object, where: str) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in HYGIENE:
        hint = " Before the path of a test, write --mailnet-grease=on." if where.startswith("--") else ""
        raise pytest.UsageError(f"{where} is one of {', '.join(HYGIENE)}, not {value!r}.{hint}")
    return {"on": True, "off": False}.get(value, value)


def _allowed(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    if names:
        from fakemail.lint.rules import RULES

        for name in names:
            if name not in RULES:
                raise pytest.UsageError(f"{where}: there is no lint rule {name!r}; {nearest(name, RULES)}")
    return names


def _flag(said: Mapping[str, Any], name: str, where: str) -> bool:
    value = said.get(name, False)
    if not isinstance(value, bool):
        raise pytest.UsageError(f"{where}: {name}= is True or False, not {value!r}.")
    return value


def _path(value: object, base: Path, where: str) -> Path:
    if not isinstance(value, str | Path):
        raise pytest.UsageError(f"{where}: config= is the path of a TOML file, not {value!r}.")
    path = base / value
    if not path.is_file():
        raise pytest.UsageError(f"{where}: config={str(value)!r}: there is no file {path}.")
    return path
