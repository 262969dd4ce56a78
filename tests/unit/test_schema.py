"""Declarations by schema: what a table gives, what is written, and every mistake at its place."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fakemail.errors import DeclarationError
from fakemail.model.schema import KINDS, InvalidSentence, Place, Problems, Table, ValueKind, plain, tables


@dataclass(frozen=True)
class Leaf:
    size: int = 0
    names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.size == 13:
            raise DeclarationError("13 is no size.")


@dataclass(frozen=True)
class Tree:
    kind: str
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    tall: bool = False


def _colour(value: object) -> object:
    if value != "green":
        raise InvalidSentence(f"no tree is {value}.", "green is the colour.")
    return value


LEAF = Table(Leaf, KINDS)
TREE = Table(
    Tree,
    {**KINDS, Leaf: LEAF, tuple[Leaf, ...]: tables(LEAF)},
    extra={"colour": (plain("a colour", _colour), "The colour.")},
    finish=lambda found, data, at: Tree(**{key: found[key] for key in found if key != "colour"}),
)


def read(table: dict[str, object]) -> tuple[Tree | None, list[str]]:
    problems = Problems()
    return TREE.read(table, Place(problems)), problems.lines


def test_a_table_becomes_an_object_and_a_table_again():
    table = {"kind": "oak", "leaf": {"size": 3, "names": ["a", "b"]}, "leaves": [{}, {"size": 1}]}
    tree, wrong = read(table)
    assert wrong == []
    assert tree == Tree("oak", Leaf(3, frozenset("ab")), (Leaf(), Leaf(1)))
    assert TREE.write(tree) == table


def test_what_is_the_default_is_not_written():
    assert TREE.write(Tree("oak", tall=False)) == {"kind": "oak"}


def test_every_mistake_is_told_at_its_place():
    tree, wrong = read(
        {
            "kind": 3,
            "leav": {},
            "leaf": {"size": -1, "sizes": 1},
            "leaves": [{"size": 13}],
            "colour": "blue",
        }
    )
    assert tree is None, "what has to be there could not be read"
    assert wrong == [
        "'kind' must be a string, not 3.",
        "there is no key 'leav'; did you mean 'leaves' or 'leaf'?",
        "'leaf': 'size' must be a whole number from 0 up, not -1.",
        "'leaf': there is no key 'sizes'; did you mean 'size'?",
        "'leaves': 0: 13 is no size.",
        "no tree is blue.",
        "green is the colour.",
    ]


def test_what_has_to_be_there_is_missed():
    assert read({}) == (None, ["the key 'kind' is missing."])


@pytest.mark.parametrize("value", [3, [3], None, b"a", {"a": 1}])
def test_what_is_no_list_of_strings(value):
    _, wrong = read({"kind": "oak", "leaf": {"names": value}})
    assert wrong == [f"'leaf': 'names' must be a list of strings, not {value!r}."]


def test_several_mistakes_are_one_error():
    problems = Problems("world.toml")
    problems.note("world.toml:12", "second")
    problems.note("world.toml:2", "first")
    with pytest.raises(DeclarationError) as caught:
        problems.raise_all()
    assert str(caught.value).splitlines() == [
        "2 mistakes in world.toml:",
        "  world.toml:2: first",
        "  world.toml:12: second",
    ]


def test_a_kind_sees_its_place():
    seen = []
    kind = ValueKind("anything", lambda value, at: seen.append((at.table, at.key, at.domain)) or value)
    Table(Leaf, {**KINDS, int: kind}).read({"size": 1}, Place(domain="example.org"))
    assert seen == [((), "size", "example.org")]
