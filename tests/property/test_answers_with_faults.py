"""What a fault makes of an answer is always octets, waits and at most one end, the last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail import faults
from fakemail.faults.action import OnAnswer
from fakemail.faults.actions import responses
from fakemail.types.write_script import ConnectionEnd

LINES = st.one_of(
    st.sampled_from(
        [
            b"* 1 EXISTS\r\n", b"* 2 EXPUNGE\r\n", b"* 1 FETCH (BODY[] {5}\r\n", b"{999999}\r\n", b"+OK 5 octets\r\n",
            b"1 1.1\r\n", b"a OK done\r\n", b".\r\n", b"\r\n", b"\n", b"* BYE\r\n",
        ]
    ),
    st.binary(max_size=20),
)  # fmt: skip
ANSWERS = st.lists(LINES, max_size=8).map(b"".join)
ACTIONS = [
    faults.bye_mid_response(),
    faults.truncate_literal(),
    faults.close_after_reply(),
    faults.suppress_untagged(),
    faults.no_final_dot(),
    faults.change_uidl(),
    faults.send_untagged("x"),
    faults.wrong_size(-3),
]


@pytest.mark.parametrize("action", ACTIONS, ids=str)
@given(answer=ANSWERS)
def test_any_answer_becomes_a_script(action: OnAnswer, answer: bytes) -> None:
    steps = list(action.script(answer))
    ends = [place for place, step in enumerate(steps) if isinstance(step, ConnectionEnd)]
    assert ends in ([], [len(steps) - 1])
    assert all(isinstance(step, bytes | ConnectionEnd) for step in steps)


@given(answer=ANSWERS)
def test_responses_lose_nothing(answer: bytes) -> None:
    assert b"".join(responses(answer)) == answer


@given(answer=ANSWERS)
def test_what_is_hidden_is_taken_out_and_nothing_else(answer: bytes) -> None:
    [left] = faults.suppress_untagged().script(answer)
    assert b"* 1 EXISTS\r\n" not in responses(left) if responses(answer) else left == b""
