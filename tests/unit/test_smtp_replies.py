"""Verdicts in words of SMTP: every reason has a reply, whose two codes are of one class."""

from __future__ import annotations

import pytest

from fakemail.smtp.replies import at_banner, reply_to
from fakemail.types.reason import Reason
from fakemail.types.verdict import Verdict, VerdictAction


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
@pytest.mark.parametrize(("action", "code"), [(VerdictAction.DEFER, 421), (VerdictAction.REFUSE, 554)])
def test_whoever_is_turned_away_at_the_banner_is_told_so_for_any_reason(action, code, reason):
    reply = at_banner(Verdict(action, reason))
    assert reply.code == code
    assert reply.enhanced.startswith(f"{code // 100}.")


@pytest.mark.parametrize("reason", [None, *Reason], ids=str)
def test_what_is_deferred_is_never_refused_for_good(reason):
    assert reply_to(Verdict(VerdictAction.DEFER, reason)).code // 100 == 4
