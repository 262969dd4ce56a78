"""On which line a key of a TOML text stands, whatever stands before it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from fakemail.model.toml_lines import Lines

TEXT = dedent('''\
    seed = 1
    zone = """
    [not.a.table]
    a = "1"
    """""
    list = [  # a comment with ] and """
      "]", '[',
      { x = 1 },
    ]
    # [neither.this]

    [domains."example.org"]
    mx = ["mx1"]
    aliases.sales = "bob"
    'quoted = key' = 3

    [ hosts . "a" ]
    [[records]]
    name = "#"
    [[records]]
    name = 'b'
    [[records.inner]]
    y = 2
    ''')


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("seed",), 1),
        (("zone",), 2),
        (("list",), 6),
        (("list", 0), 6),
        (("domains", "example.org"), 12),
        (("domains", "example.org", "mx"), 13),
        (("domains", "example.org", "mx", 0), 13),
        (("domains", "example.org", "aliases", "sales"), 14),
        (("domains", "example.org", "aliases"), 14),
        (("domains", "example.org", "quoted = key"), 15),
        (("domains", "example.org", "absent"), 12),
        (("hosts", "a"), 17),
        (("records", 0), 18),
        (("records", 0, "name"), 19),
        (("records", 1, "name"), 21),
        (("records", 1, "inner", 0, "y"), 23),
        (("absent",), 1),
    ],
)
def test_the_line_of_a_path(path, line):
    assert Lines(TEXT).of(path) == line


def test_line_ends_of_windows():
    assert Lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n").of(("b", "c")) == 4
