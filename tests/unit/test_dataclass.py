"""Our ``dataclass`` makes the same classes as the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from fakemail.types.dataclass import dataclass


def classes(decorator: Callable[..., Any]) -> dict[str, type]:
    @decorator(frozen=True, slots=True)
    class Point:
        """A place."""

        x: int
        y: int = 0
        tags: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @decorator(frozen=True, slots=True)
    class Named(Point):
        """A place with a name."""

        name: str = "here"

        def __post_init__(self) -> None:
            if not self.name:
                raise ValueError("no name")

    @decorator(slots=True)
    class Box:
        """What can be changed."""

        items: list[int] = dataclasses.field(default_factory=list)

    @decorator(frozen=True, kw_only=True, repr=False)
    class Words:
        """Given by name."""

        first: str
        last: str = ""

    @decorator(frozen=True, eq=False)
    class Itself:
        """Equal to nothing else."""

        value: int = 1

    return {kind.__name__: kind for kind in (Point, Named, Box, Words, Itself)}


OURS, THEIRS = classes(dataclass), classes(dataclasses.dataclass)
CALLS: list[tuple[str, tuple[object, ...], dict[str, object]]] = [
    ("Point", (1,), {}),
    ("Point", (1, 2, ("a",)), {}),
    ("Point", (), {"x": 3, "y": 4}),
    ("Point", (), {}),
    ("Point", (1,), {"z": 1}),
    ("Named", (1, 2), {"name": "there"}),
    ("Named", (1,), {"name": ""}),
    ("Box", (), {}),
    ("Box", ([1],), {}),
    ("Words", ("a",), {}),
    ("Words", (), {"first": "a"}),
    ("Itself", (), {}),
]


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except (TypeError, ValueError, AttributeError) as error:
        return type(error), str(error)


def story(kind: Any, args: tuple[object, ...], keywords: dict[str, object]) -> list[object]:
    """What can be seen of an instance, or how making it fails."""
    made: Any = outcome(lambda: kind(*args, **keywords))
    if isinstance(made, tuple):
        return [made]
    again, name = kind(*args, **keywords), dataclasses.fields(kind)[0].name
    return [
        repr(made).partition(" object at ")[0],
        made == again,
        made != again,
        made == 1,
        outcome(lambda: hash(made) == hash(again)),
        dataclasses.asdict(made),
        kind.__match_args__,
        dataclasses.asdict(copy.copy(made)),
        dataclasses.asdict(copy.deepcopy(made)),
        outcome(lambda: dataclasses.asdict(dataclasses.replace(made, **{name: 7}))),
        outcome(lambda: setattr(made, name, 9)),
        outcome(lambda: delattr(made, name)),
    ]


@pytest.mark.parametrize(("name", "args", "keywords"), CALLS)
def test_instances_are_the_same(name, args, keywords):
    assert story(OURS[name], args, keywords) == story(THEIRS[name], args, keywords)


@pytest.mark.parametrize("name", OURS)
def test_the_signature_is_the_same(name):
    assert str(inspect.signature(classes(dataclass)[name])) == str(inspect.signature(THEIRS[name]))


@pytest.mark.parametrize("name", OURS)
def test_a_method_can_be_looked_up_before_an_instance_is_made(name):
    for method in ("__init__", "__repr__", "__eq__", "__hash__"):
        assert callable(getattr(classes(dataclass)[name], method)) == callable(getattr(THEIRS[name], method))


@dataclass(frozen=True, slots=True)
class Sent:
    """Importable, so that it can be pickled."""

    by: str
    times: int = 1


def test_an_instance_can_be_pickled():
    assert pickle.loads(pickle.dumps(Sent("ann", 2))) == Sent("ann", 2)
    assert {Sent("ann"): 1}[Sent("ann")] == 1
