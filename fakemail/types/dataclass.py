"""``dataclass`` of the standard library, whose methods are compiled when they are first called.

Compiling them is most of what the standard decorator costs, and a test uses a part of our classes only. Apart from
that the classes are the same: ``fields``, ``replace``, matching, equality, hashes, texts and pickles.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fakemail.types.suggestions import Suggests, suggests_keywords

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        kind: type | None = None,
        /,
        *,
        init=True,
        repr=True,
        eq=True,
        frozen=False,
        slots=False,
        kw_only=False,
    ) -> Any:
        def decorate(kind: type) -> type:
            own = vars(kind).keys()
            if eq and "__hash__" not in own and not frozen:
                kind.__hash__ = None
            hashed = eq and frozen and ("__hash__" not in own or ("__eq__" in own and kind.__hash__ is None))
            wanted = {"__init__": init, "__repr__": repr, "__eq__": eq}
            late = [name for name, is_wanted in wanted.items() if is_wanted and name not in own]
            if hashed:
                late.append("__hash__")
            if not kind.__doc__:
                kind.__doc__ = kind.__name__  # or a signature would be made for it, which takes long
            kind = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(kind)
            for name in late:
                setattr(kind, name, _Late(kind, name, frozen))
            if frozen:
                _freeze(kind, slots)
            return kind

        return decorate if kind is None else decorate(kind)


class _Late:
    """Method that is put into the class at its first use."""

    __slots__ = ("_frozen", "_kind", "_name")

    def __init__(self, kind: type, name: str, frozen: bool) -> None:
        self._kind = kind
        self._name = name
        self._frozen = frozen

    def __get__(self, instance: object, kind: type | None = None) -> Any:
        if instance is None and self._name == "__hash__":
            return hash  # somebody wants to know whether there is one
        method = _compiled(self._kind, self._name, self._frozen)
        setattr(self._kind, self._name, method)
        return method.__get__(instance, kind)


def _compiled(kind: type, name: str, frozen: bool) -> Any:
    """The method that the standard library compiles for a class with the same fields."""
    fields = dataclasses.fields(kind)
    body: dict[str, Any] = {each.name: each for each in fields}
    body["__annotations__"] = {each.name: each.type for each in fields}
    body["__doc__"] = kind.__doc__
    body["__module__"] = kind.__module__
    body["__qualname__"] = kind.__qualname__
    if hasattr(kind, "__post_init__"):
        body["__post_init__"] = kind.__post_init__
    model: Any = dataclasses.dataclass(
        init=name == "__init__",
        repr=name == "__repr__",
        eq=name == "__eq__",
        unsafe_hash=name == "__hash__",
        frozen=frozen and name == "__init__",
        match_args=False,
    )(type(kind.__name__, (), body))
    method: Any = vars(model)[name]
    if name == "__init__" and issubclass(kind, Suggests):
        return suggests_keywords(method)
    return method


def _freeze(kind: Any, slots: bool) -> None:
    names = frozenset(each.name for each in dataclasses.fields(kind))

    def set_attribute(self: object, name: str, value: object) -> None:
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(kind, self).__setattr__(name, value)

    def delete_attribute(self: object, name: str) -> None:
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(kind, self).__delattr__(name)

    kind.__setattr__ = set_attribute
    kind.__delattr__ = delete_attribute
    if slots and "__getstate__" not in vars(kind):
        kind.__getstate__ = _state
    if slots and "__setstate__" not in vars(kind):
        kind.__setstate__ = _set_state


def _state(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
