"""The registered domain of a name, by the Public Suffix List."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fakemail.policy.suffixes import registered_domain


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("a.b.shop.test", "shop.test"),
        ("Shop.Test.", "shop.test"),
        ("www.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("co.uk", ""),
        ("test", ""),
        ("someone.github.io", "someone.github.io"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("", ""),
        ("..", ""),
        ("a..b", ""),
    ],
)
def test_the_registered_domain_is_one_label_more_than_the_public_suffix(name: str, registered: str) -> None:
    assert registered_domain(name) == registered


def test_the_list_is_not_read_before_somebody_asks() -> None:
    code = "import sys, fakemail, fakemail.policy.suffixes; sys.exit('publicsuffixlist' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
