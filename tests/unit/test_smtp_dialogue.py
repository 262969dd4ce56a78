"""The sending dialogue against servers that are bad, rude, old or half dead. The generator is driven by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from fakemail.errors import ProtocolError
from fakemail.message.envelope import BodyType, Recipient
from fakemail.smtp.client import (
    MAX_REPLY,
    MAX_REPLY_LINE,
    ClientTransaction,
    Outgoing,
    PeerFailure,
    ReplyReader,
    SendStep,
    ServerProfile,
    StartTlsStep,
    Step,
    TlsUse,
    stuff_dots,
)
from fakemail.types.address import NULL_PATH, Address, address
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

ANN, BOB, EVE = (Recipient(Address(name, "example.org")) for name in ("ann", "bob", "eve"))
SENDER = Address("a", "app.test")
PIPELINING = "250-mx\r\n250-PIPELINING\r\n250 SIZE"
PLAIN = "250-mx\r\n250 SIZE"
TLS = Channel("TLSv1.3", "X")

Script = Iterable["str | Channel | PeerFailure"]


def outgoing(*recipients: Recipient, **options: object) -> Outgoing:
    return Outgoing("relay.test", SENDER, recipients or (BOB,), b"x\r\n", **options)  # type: ignore[arg-type]


def drive(dialogue: ClientTransaction, script: Script) -> list[Step]:
    """Answer each step with the next item: replies (one text per step), a channel, or a failure."""
    steps = dialogue.steps()
    taken: list[Step] = []
    answers = iter(script)
    try:
        step = next(steps)
        while True:
            taken.append(step)
            answer = next(answers)
            if isinstance(answer, PeerFailure):
                step = steps.throw(answer)
            elif isinstance(answer, Channel):
                assert isinstance(step, StartTlsStep)
                step = steps.send(answer)
            else:
                assert isinstance(step, SendStep)
                replies = ReplyReader().feed(answer.encode() + b"\r\n")
                assert len(replies) == step.replies
                step = steps.send(replies)
    except StopIteration:
        assert next(answers, None) is None, "the dialogue ended before the script did"
        return taken


def lines(steps: list[Step]) -> list[str]:
    return [step.octets.decode() if isinstance(step, SendStep) else "TLS" for step in steps]


def test_good_pipelined() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB), tls=TlsUse.NEVER)
    steps = drive(dialogue, ["220 hi", PIPELINING, "250 a\r\n250 b\r\n250 c\r\n354 go", "250 ok", "221 bye"])
    assert lines(steps) == [
        "",
        "EHLO relay.test\r\n",
        "MAIL FROM:<a@app.test> SIZE=3\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
        "x\r\n.\r\n",
        "QUIT\r\n",
    ]
    assert [(each.recipient, each.at, each.is_accepted) for each in dialogue.outcomes] == [
        (ANN, Stage.SMTP_END, True),
        (BOB, Stage.SMTP_END, True),
    ]


def test_good_one_by_one() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB), tls=TlsUse.NEVER)
    steps = drive(dialogue, ["220 hi", PLAIN, "250 a", "250 b", "250 c", "354 go", "250 ok", "221 bye"])
    assert lines(steps)[2:] == [
        "MAIL FROM:<a@app.test> SIZE=3\r\n",
        "RCPT TO:<ann@example.org>\r\n",
        "RCPT TO:<bob@example.org>\r\n",
        "DATA\r\n",
        "x\r\n.\r\n",
        "QUIT\r\n",
    ]
    assert all(each.is_accepted for each in dialogue.outcomes)


@pytest.mark.parametrize("banner", ["554 go away", "421 too busy", "250 what", "354 go on"])
def test_banner_that_is_no_220(banner: str) -> None:
    dialogue = ClientTransaction(outgoing())
    is_refusal = banner.startswith("554")
    steps = drive(dialogue, [banner, "221 bye"] if is_refusal else [banner])
    (outcome,) = dialogue.outcomes
    assert (outcome.at, str(outcome.reply), outcome.is_accepted) == (Stage.SMTP_BANNER, banner, False)
    assert not dialogue.was_greeted
    # Nobody is told goodbye who has left already, or who does not speak SMTP.
    assert lines(steps)[1:] == (["QUIT\r\n"] if is_refusal else [])


def test_server_without_ehlo_gets_helo_and_no_parameters() -> None:
    message = outgoing(
        Recipient(BOB.address, ("NEVER",), "rfc822;x"), ret="FULL", envid="x", body=BodyType.EIGHT_BIT
    )
    dialogue = ClientTransaction(message)
    steps = drive(dialogue, ["220 hi", "502 what", "250 hi", "250 a", "250 b", "354 go", "250 ok", "221 bye"])
    assert lines(steps)[1:5] == [
        "EHLO relay.test\r\n", "HELO relay.test\r\n", "MAIL FROM:<a@app.test>\r\n", "RCPT TO:<bob@example.org>\r\n"
    ]  # fmt: skip
    assert dialogue.was_greeted
    assert dialogue.outcomes[0].is_accepted


@pytest.mark.parametrize("replies", [["554 no"], ["421 no"], ["450 no"], ["502 what", "502 what"]])
def test_hello_refused(replies: list[str]) -> None:
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, ["220 hi", *replies, *([] if replies[-1].startswith("421") else ["221 bye"])])
    (outcome,) = dialogue.outcomes
    assert (outcome.at, str(outcome.reply), outcome.is_accepted) == (Stage.SMTP_HELO, replies[-1], False)
    assert not dialogue.was_greeted


def test_starttls() -> None:
    dialogue = ClientTransaction(outgoing())
    steps = drive(
        dialogue,
        ["220 hi", "250-mx\r\n250-STARTTLS\r\n250 PIPELINING", "220 go", TLS, PLAIN,
         "250 a", "250 b", "354 go", "250 ok", "221 bye"],
    )  # fmt: skip
    assert lines(steps)[2:5] == ["STARTTLS\r\n", "TLS", "EHLO relay.test\r\n"]
    # What was offered in clear text is forgotten (RFC 3207 §4.2): PIPELINING was not offered again.
    assert lines(steps)[5] == "MAIL FROM:<a@app.test> SIZE=3\r\n"
    assert dialogue.channel is TLS


def test_starttls_refused_goes_on_in_clear_text() -> None:
    dialogue = ClientTransaction(outgoing())
    drive(
        dialogue,
        ["220 hi", "250-mx\r\n250 STARTTLS", "454 not now", "250 a", "250 b", "354 go", "250 ok", "221 bye"],
    )
    assert dialogue.channel is None
    assert dialogue.outcomes[0].is_accepted


@pytest.mark.parametrize("reason", [Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.PROTOCOL_ERROR])
def test_a_server_that_is_lost_after_its_no_to_starttls_may_be_tried_without(reason: Reason) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    drive(dialogue, ["220 hi", "250-mx\r\n250 STARTTLS", "454 not now", PeerFailure(reason, "gone")])
    assert [(each.at, each.reason, each.detail) for each in dialogue.outcomes] == [
        (Stage.SMTP_STARTTLS, Reason.TLS_FAILED, "gone")
    ] * 2


def test_a_connection_that_is_lost_later_is_not_lost_by_its_no_to_starttls() -> None:
    dialogue = ClientTransaction(outgoing())
    failure = PeerFailure(Reason.CONNECTION_LOST, "gone")
    drive(dialogue, ["220 hi", "250-mx\r\n250 STARTTLS", "454 not now", "250 a", failure])
    assert [(each.at, each.reason) for each in dialogue.outcomes] == [
        (Stage.SMTP_RCPT, Reason.CONNECTION_LOST)
    ]


def test_failed_handshake() -> None:
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, ["220 hi", "250-mx\r\n250 STARTTLS", "220 go", PeerFailure(Reason.TLS_FAILED, "bad")])
    (outcome,) = dialogue.outcomes
    assert (outcome.at, outcome.reason, outcome.detail) == (Stage.TLS_HANDSHAKE, Reason.TLS_FAILED, "bad")


@pytest.mark.parametrize("pipelined", [True, False])
def test_partial_acceptance(pipelined: bool) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB, EVE))
    middle = ["250 a", "550 no ann", "250 b", "452 too many", "354 go"]
    drive(
        dialogue,
        ["220 hi", PIPELINING, "\r\n".join(middle), "250 ok", "221 bye"]
        if pipelined
        else ["220 hi", PLAIN, *middle, "250 ok", "221 bye"],
    )
    assert {each.recipient: (each.at, str(each.reply)) for each in dialogue.outcomes} == {
        ANN: (Stage.SMTP_RCPT, "550 no ann"),
        EVE: (Stage.SMTP_RCPT, "452 too many"),
        BOB: (Stage.SMTP_END, "250 ok"),
    }


@pytest.mark.parametrize("data", ["354 go", "554 no valid recipients", "503 what"])
def test_nobody_accepted_in_a_pipelined_group(data: str) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    end = ["554 nobody"] if data.startswith("354") else []
    steps = drive(dialogue, ["220 hi", PIPELINING, f"250 a\r\n550 b\r\n450 c\r\n{data}", *end, "221 bye"])
    # RFC 2920 §3.1: a 354 with nobody to send to must be answered with an empty message.
    assert lines(steps)[3:] == ([".\r\n", "QUIT\r\n"] if end else ["QUIT\r\n"])
    assert [(each.at, each.reply.code if each.reply else 0) for each in dialogue.outcomes] == [
        (Stage.SMTP_RCPT, 550),
        (Stage.SMTP_RCPT, 450),
    ]


@pytest.mark.parametrize(
    ("group", "codes"),
    [
        ("421 bye\r\n250 b\r\n250 c\r\n354 go", [421, 421]),
        ("450 no\r\n250 b\r\n503 c\r\n354 go", [450, 450]),
        ("250 a\r\n354 b\r\n550 c\r\n354 go", [354, 550]),
        ("250 a\r\n550 b\r\n421 c\r\n354 go", [550, 421]),
    ],
)
def test_nobody_gets_an_empty_message_from_a_server_that_may_know_of_him(
    group: str, codes: list[int]
) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB), stay=lambda: True)
    steps = drive(dialogue, ["220 hi", PIPELINING, group])
    assert lines(steps)[-1].endswith("DATA\r\n")
    assert [each.reply and each.reply.code for each in dialogue.outcomes] == codes
    assert not dialogue.stays


@pytest.mark.parametrize("pipelined", [True, False])
def test_sender_refused(pipelined: bool) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    drive(
        dialogue,
        ["220 hi", PIPELINING, "550 no\r\n503 no\r\n503 no\r\n503 no", "221 bye"]
        if pipelined
        else ["220 hi", PLAIN, "550 no", "221 bye"],
    )
    assert [(each.at, str(each.reply)) for each in dialogue.outcomes] == [(Stage.SMTP_MAIL, "550 no")] * 2


@pytest.mark.parametrize("code", [334, 354])
def test_intermediate_reply_is_no_acceptance(code: int) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    drive(dialogue, ["220 hi", PLAIN, "250 a", f"{code} what", "250 b", "354 go", f"{code} what"])
    assert [(each.recipient, each.at, each.reason, each.is_accepted) for each in dialogue.outcomes] == [
        (ANN, Stage.SMTP_RCPT, Reason.PROTOCOL_ERROR, False),
        (BOB, Stage.SMTP_END, Reason.PROTOCOL_ERROR, False),
    ]


def test_data_answered_with_250_is_no_acceptance() -> None:
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, ["220 hi", PIPELINING, "250 a\r\n250 b\r\n250 thanks"])
    assert [(each.at, each.reason, each.is_accepted) for each in dialogue.outcomes] == [
        (Stage.SMTP_DATA, Reason.PROTOCOL_ERROR, False)
    ]


@pytest.mark.parametrize("hello", [PIPELINING, PLAIN])
def test_replies_that_are_out_of_step_refuse_nobody(hello: str) -> None:
    """Each reply was that to the command before, so 550 does not say who is unknown."""
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    group = ["250 again", "550 no such user", "250 b", "250 c"]
    drive(dialogue, ["220 hi", hello, *(["\r\n".join(group)] if hello is PIPELINING else group)])
    assert [(each.recipient, each.at, each.reason) for each in dialogue.outcomes] == [
        (ANN, Stage.SMTP_DATA, Reason.PROTOCOL_ERROR),
        (BOB, Stage.SMTP_DATA, Reason.PROTOCOL_ERROR),
    ]


def test_more_replies_than_commands_refuse_nobody() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    failure = PeerFailure(Reason.PROTOCOL_ERROR, "more", in_answer=True, is_out_of_step=True)
    drive(dialogue, ["220 hi", PLAIN, "250 a", "550 no such user", failure])
    assert [each.reason for each in dialogue.outcomes] == [Reason.PROTOCOL_ERROR] * 2


def test_a_refusal_counts_when_the_answer_to_the_message_makes_no_sense() -> None:
    """The go-ahead came where it was due, so every reply before it was that to its command."""
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    drive(dialogue, ["220 hi", PLAIN, "250 a", "550 no such user", "250 c", "354 go", "354 go"])
    assert [(each.at, each.reason) for each in dialogue.outcomes] == [
        (Stage.SMTP_RCPT, None),
        (Stage.SMTP_END, Reason.PROTOCOL_ERROR),
    ]


def test_data_refused() -> None:
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, ["220 hi", PIPELINING, "250 a\r\n250 b\r\n451 not now", "221 bye"])
    assert [(each.at, str(each.reply)) for each in dialogue.outcomes] == [(Stage.SMTP_DATA, "451 not now")]


@pytest.mark.parametrize(
    ("script", "at"),
    [
        ([PLAIN, "421 bye"], [Stage.SMTP_MAIL, Stage.SMTP_MAIL]),
        ([PLAIN, "250 a", "550 ann", "421 bye"], [Stage.SMTP_RCPT, Stage.SMTP_RCPT]),
        ([PLAIN, "250 a", "250 b", "421 bye"], [Stage.SMTP_RCPT, Stage.SMTP_RCPT]),
        ([PLAIN, "250 a", "250 b", "250 c", "421 bye"], [Stage.SMTP_DATA, Stage.SMTP_DATA]),
        ([PLAIN, "250 a", "250 b", "250 c", "354 go", "421 bye"], [Stage.SMTP_END, Stage.SMTP_END]),
        ([PIPELINING, "250 a\r\n250 b\r\n421 bye\r\n421 bye"], [Stage.SMTP_RCPT, Stage.SMTP_DATA]),
        ([PIPELINING, "250 a\r\n421 bye\r\n421 bye\r\n421 bye"], [Stage.SMTP_RCPT, Stage.SMTP_RCPT]),
    ],
)
def test_421_in_a_transaction_ends_it_without_quit(script: list[str], at: list[Stage]) -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    steps = drive(dialogue, ["220 hi", *script])
    assert "QUIT\r\n" not in lines(steps)
    assert [each.at for each in dialogue.outcomes] == at
    assert not any(each.is_accepted for each in dialogue.outcomes)


GOOD: list[str | Channel] = [
    "220 hi", "250-mx\r\n250 STARTTLS", "220 go", TLS, PLAIN, "250 a", "250 b", "354 go", "250 ok", "221 bye"
]  # fmt: skip
AT = [
    Stage.SMTP_BANNER, Stage.SMTP_HELO, Stage.SMTP_STARTTLS, Stage.TLS_HANDSHAKE, Stage.SMTP_HELO,
    Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END,
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(AT)))
@pytest.mark.parametrize("reason", [Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.PROTOCOL_ERROR])
def test_connection_lost_at_each_step(place: int, reason: Reason) -> None:
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, [*GOOD[:place], PeerFailure(reason, "gone")])
    (outcome,) = dialogue.outcomes
    assert (outcome.at, outcome.reply, outcome.reason, outcome.detail) == (AT[place], None, reason, "gone")
    assert dialogue.was_greeted is (place >= 2)


def test_connection_lost_at_quit_changes_nothing() -> None:
    # It once went up as an error of our own.
    dialogue = ClientTransaction(outgoing())
    drive(dialogue, [*GOOD[:-1], PeerFailure(Reason.CONNECTION_LOST)])
    assert [each.is_accepted for each in dialogue.outcomes] == [True]


def test_connection_lost_after_a_refusal_keeps_the_refusal() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    drive(dialogue, ["220 hi", PLAIN, "250 a", "550 no", PeerFailure(Reason.CONNECTION_LOST)])
    assert [(each.recipient, each.reason) for each in dialogue.outcomes] == [
        (ANN, None),
        (BOB, Reason.CONNECTION_LOST),
    ]
    assert [each.is_accepted for each in dialogue.outcomes] == [False, False]


def test_never_began() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB))
    dialogue.never_began(PeerFailure(Reason.CONNECTION_REFUSED))
    assert [(each.at, each.reason) for each in dialogue.outcomes] == [
        (Stage.CONNECT, Reason.CONNECTION_REFUSED)
    ] * 2


def test_parameters_that_are_offered_are_used() -> None:
    bob = Recipient(BOB.address, ("SUCCESS", "DELAY"), "rfc822;Bob+x@Example.org")
    message = Outgoing(
        "relay.test", NULL_PATH, (bob,), b"x\r\n", BodyType.EIGHT_BIT, smtputf8=True, ret="HDRS", envid="a=b"
    )
    offered = "250-mx\r\n250-SIZE\r\n250-8bitmime\r\n250-SMTPUTF8\r\n250 DSN"
    steps = drive(
        ClientTransaction(message), ["220 hi", offered, "250 a", "250 b", "354 go", "250 ok", "221 bye"]
    )
    assert lines(steps)[2:4] == [
        "MAIL FROM:<> SIZE=3 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+3Db\r\n",
        "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@Example.org\r\n",
    ]


@pytest.mark.parametrize(
    ("options", "detail"),
    [({"smtputf8": True, "content": "Subject: Grüße\r\n\r\nx\r\n".encode()}, "the server does not offer SMTPUTF8"),
     ({"smtputf8": True, "sender": address("jörg@app.test")}, "the server does not offer SMTPUTF8"),
     ({"smtputf8": True, "recipients": (Recipient(address("jörg@b.test")),)}, "the server does not offer SMTPUTF8"),
     ({"body": BodyType.BINARY}, "the server does not offer BINARYMIME")],
)  # fmt: skip
@pytest.mark.parametrize("hello", [PLAIN, PIPELINING])
def test_message_that_the_server_cannot_take(options: dict[str, object], detail: str, hello: str) -> None:
    dialogue = ClientTransaction(replace(outgoing(), **options))  # type: ignore[arg-type]
    steps = drive(dialogue, ["220 hi", hello, "221 bye"])
    assert lines(steps)[2:] == ["QUIT\r\n"]
    (outcome,) = dialogue.outcomes
    assert (outcome.at, outcome.reason, outcome.detail) == (Stage.SMTP_MAIL, Reason.NOT_NEGOTIATED, detail)


def test_what_needs_no_smtputf8_goes_without() -> None:
    """Asked for, and then not needed (RFC 6531 §3.4): all is ASCII but the body, and the domain is A-labels."""
    bob = Recipient(address("bob@bücher.example"))
    message = replace(
        outgoing(bob, smtputf8=True), content="Subject: Hi\r\n\r\nGrüße\r\n".encode(), body=BodyType.EIGHT_BIT
    )
    hello = "250-mx\r\n250 8BITMIME"
    steps = drive(
        ClientTransaction(message), ["220 hi", hello, "250 a", "250 b", "354 go", "250 ok", "221 bye"]
    )
    assert lines(steps)[2:4] == [
        "MAIL FROM:<a@app.test> BODY=8BITMIME\r\n",
        "RCPT TO:<bob@xn--bcher-kva.example>\r\n",
    ]


@pytest.mark.parametrize("pipelined", [True, False])
def test_binary_message_goes_in_a_chunk(pipelined: bool) -> None:
    message = Outgoing("relay.test", SENDER, (BOB,), b"\n.\r\n.\r\n\0", BodyType.BINARY)
    offered = "250-mx\r\n250-CHUNKING\r\n250 BINARYMIME" + ("\r\n250 PIPELINING" if pipelined else "")
    offered = offered.replace("250 BINARYMIME\r\n", "250-BINARYMIME\r\n")
    middle = ["250 a\r\n250 b"] if pipelined else ["250 a", "250 b"]
    dialogue = ClientTransaction(message)
    steps = drive(dialogue, ["220 hi", offered, *middle, "250 ok", "221 bye"])
    assert lines(steps)[-2] == "BDAT 8 LAST\r\n\n.\r\n.\r\n\0"
    assert dialogue.outcomes[0].is_accepted


def test_a_message_that_needs_smtputf8_says_so_in_its_status() -> None:
    """RFC 6531 §3.5: 5.6.7, and before anything that could be encoded away is looked at."""
    dialogue = ClientTransaction(
        Outgoing(
            "relay.test", SENDER, (BOB,), "Subject: ü\r\n\r\n".encode(), BodyType.EIGHT_BIT, smtputf8=True
        )
    )
    assert lines(drive(dialogue, ["220 hi", PLAIN, "221 bye"]))[-1] == "QUIT\r\n"
    assert (dialogue.outcomes[0].reason, dialogue.outcomes[0].status) == (Reason.NOT_NEGOTIATED, "5.6.7")


@pytest.mark.parametrize(
    ("size", "is_sent"),
    [("SIZE 2", False), ("SIZE 3", True), ("SIZE 0", True), ("SIZE", True), ("SIZE much", True)],
)
def test_what_is_too_big_for_the_server_is_not_sent(size: str, is_sent: bool) -> None:
    """RFC 1870 §4: 0 and nothing are no limit."""
    dialogue = ClientTransaction(outgoing(ANN, BOB), tls=TlsUse.NEVER)
    rest = ["250 a", "250 b", "250 c", "354 go", "250 ok"] if is_sent else []
    drive(dialogue, ["220 hi", f"250-mx\r\n250 {size}", *rest, "221 bye"])
    assert [each.is_accepted for each in dialogue.outcomes] == [is_sent, is_sent]
    if not is_sent:
        assert {(each.at, each.reason, each.reply) for each in dialogue.outcomes} == {
            (Stage.SMTP_MAIL, Reason.MESSAGE_TOO_BIG, None)
        }


CYD = Recipient(Address("cyd", "other.test"))


@pytest.mark.parametrize(
    ("limits", "named", "left"),
    [
        ("LIMITS RCPTMAX=1", [ANN], [BOB, CYD]),
        ("LIMITS MAILMAX=9 RCPTMAX=2", [ANN, BOB], [CYD]),
        ("limits rcptmax=2", [ANN, BOB], [CYD]),
        ("LIMITS RCPTDOMAINMAX=1", [ANN, BOB], [CYD]),
        ("LIMITS RCPTMAX=3", [ANN, BOB, CYD], []),
        ("LIMITS RCPTMAX=0", [ANN, BOB, CYD], []),
        ("LIMITS RCPTMAX=few RCPTMAX", [ANN, BOB, CYD], []),
        ("LIMITS RCPTMAX=1234567", [ANN, BOB, CYD], []),
        ("LIMITS", [ANN, BOB, CYD], []),
    ],
)
def test_the_limits_of_the_server_are_kept(
    limits: str, named: list[Recipient], left: list[Recipient]
) -> None:
    """RFC 9422 §4.1; what is not written as it says is no limit."""
    dialogue = ClientTransaction(outgoing(ANN, BOB, CYD), tls=TlsUse.NEVER)
    answers = ["220 hi", f"250-mx\r\n250 {limits}", "250 a", *["250 b"] * len(named), "354 go", "250 ok"]
    said = lines(drive(dialogue, [*answers, "221 bye"]))
    assert [line for line in said if line.startswith("RCPT")] == [
        f"RCPT TO:<{each.address}>\r\n" for each in named
    ]
    assert [each.recipient for each in dialogue.outcomes] == named
    assert dialogue.left == left


@pytest.mark.parametrize(("earlier", "stays"), [(0, True), (1, True), (2, False)])
def test_the_connection_stays_for_as_many_transactions_as_the_server_takes(earlier: int, stays: bool) -> None:
    """RFC 9422 §4.1: MAILMAX."""
    greeted = ServerProfile({"": "", "LIMITS": "MAILMAX=3"}, None)
    dialogue = ClientTransaction(outgoing(), greeted=greeted, stay=lambda: True, earlier=earlier)
    drive(dialogue, ["250 a", "250 b", "354 go", "250 ok", *([] if stays else ["221 bye"])])
    assert dialogue.stays is stays


def test_driver_that_mixes_up_its_answers_is_told() -> None:
    steps = ClientTransaction(outgoing()).steps()
    next(steps)
    with pytest.raises(TypeError, match="answered a Send with a Channel"):
        steps.send(TLS)


# Replies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"hello there\r\n",
        b"\r\n",
        b"2200 hi\r\n",
        b"22\r\n",
        b"666 hi\r\n",
        b"220-a\r\n221 b\r\n",
        b"220-a\r\nnonsense\r\n",
        b"220_a\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_nonsense_is_a_protocol_error(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        ReplyReader().feed(octets)


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"220 " + b"x" * 2**20,
        lambda: b"220 " + b"x" * 2**20 + b"\r\n",
        lambda: b"220-x\r\n" * 2**17,
        lambda: b"x" * (MAX_REPLY_LINE + 1),
    ],
    ids=["no end", "one line", "many lines", "not even a reply"],
)
@pytest.mark.parametrize("step", [1000, 2**21])
def test_reply_of_a_megabyte_is_a_protocol_error_and_not_kept(make: Callable[[], bytes], step: int) -> None:
    reader, octets = ReplyReader(), make()
    with pytest.raises(ProtocolError, match="too long"):
        for start in range(0, len(octets), step):
            reader.feed(octets[start : start + step])
            assert len(reader._buffer) + sum(map(len, reader._lines)) <= MAX_REPLY + step


@pytest.mark.parametrize("step", [1, 5, 100])
def test_what_was_said_before_nonsense_counts(step: int) -> None:
    reader, octets = ReplyReader(), b"250 queued\r\nnonsense\r\n250 what\r\n"
    replies: list[str] = []
    with pytest.raises(ProtocolError, match="nonsense"):
        for start in range(0, len(octets) + step, step):
            replies += map(str, reader.feed(octets[start : start + step]))
    assert replies == ["250 queued"]
    with pytest.raises(ProtocolError, match="nonsense"):
        reader.feed(b"250 more\r\n")


def test_reply_without_text_and_bare_lf() -> None:
    assert [str(reply) for reply in ReplyReader().feed(b"220\r\n250-\r\n250\n")] == ["220", "250  /"]


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n.b", b"a\r\n..\r\n..b\r\n.\r\n"),
        (b"a\r\n..\r\n", b"a\r\n...\r\n.\r\n"),
    ],
)
def test_dot_stuffing(content: bytes, wire: bytes) -> None:
    assert stuff_dots(content) == wire


# Kept connections --------------------------------------------------------------------------------

GREETED = ServerProfile({"": "", "PIPELINING": "", "SIZE": ""}, TLS)
GROUP = "MAIL FROM:<a@app.test> SIZE=3\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
LOST = PeerFailure(Reason.CONNECTION_LOST, "gone")


def test_a_kept_connection_begins_with_mail_and_stays() -> None:
    dialogue = ClientTransaction(outgoing(), greeted=GREETED, stay=lambda: True)
    steps = drive(dialogue, ["250 a\r\n250 b\r\n354 go", "250 ok"])
    assert lines(steps) == [GROUP, "x\r\n.\r\n"]
    assert dialogue.stays
    assert dialogue.greeted == GREETED
    assert dialogue.was_greeted
    assert dialogue.channel is TLS
    assert [outcome.is_accepted for outcome in dialogue.outcomes] == [True]


def test_a_new_connection_stays_when_it_is_wanted() -> None:
    dialogue = ClientTransaction(outgoing(), tls=TlsUse.NEVER, stay=lambda: True)
    drive(dialogue, ["220 hi", PIPELINING, "250 a\r\n250 b\r\n354 go", "250 ok"])
    assert dialogue.stays
    assert dialogue.greeted == ServerProfile({"": "", "PIPELINING": "", "SIZE": ""}, None)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (["550 no\r\n503 no\r\n503 no"], []),
        (["250 a\r\n451 b\r\n554 no", "250 ok"], ["RSET\r\n"]),
        (["250 a\r\n451 b\r\n354 go", "554 no"], [".\r\n"]),
        (["250 a\r\n250 b\r\n451 no", "250 ok"], ["RSET\r\n"]),
        (["250 a\r\n250 b\r\n354 go", "552 no"], ["x\r\n.\r\n"]),
    ],
    ids=["sender", "recipient", "recipient, and DATA was not", "DATA", "message"],
)
def test_the_connection_stays_when_the_message_was_refused(script: Script, said: list[str]) -> None:
    dialogue = ClientTransaction(outgoing(), greeted=GREETED, stay=lambda: True)
    assert lines(drive(dialogue, script))[1:] == said
    assert dialogue.stays
    assert not dialogue.outcomes[0].is_accepted


def test_refusals_are_counted() -> None:
    dialogue = ClientTransaction(outgoing(ANN, BOB), greeted=GREETED, stay=lambda: True)
    drive(dialogue, ["250 a\r\n550 b\r\n451 c\r\n554 no", "250 ok"])
    assert dialogue.refusals == 3


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (["250 a\r\n250 b\r\n354 go", "421 no"], "x\r\n.\r\n"),
        (["250 a\r\n250 b\r\n354 go", LOST], "x\r\n.\r\n"),
        (["250 a\r\n354 b\r\n554 no"], GROUP),
        (["250 a\r\n250 b\r\n250 c"], GROUP),
        (["250 a\r\n451 b\r\n554 no", "502 what", "221 bye"], "QUIT\r\n"),
        (["250 a\r\n451 b\r\n554 no", "421 enough"], "RSET\r\n"),
        (["250 a\r\n451 b\r\n554 no", LOST], "RSET\r\n"),
    ],
    ids=["421", "lost", "no reply to RCPT", "no reply to DATA", "no RSET", "421 for RSET", "lost at RSET"],
)
def test_the_connection_does_not_stay_when_something_went_wrong(script: Script, end: str) -> None:
    dialogue = ClientTransaction(outgoing(), greeted=GREETED, stay=lambda: True)
    assert lines(drive(dialogue, script))[-1] == end
    assert not dialogue.stays
    assert not dialogue.is_stale
    assert len(dialogue.outcomes) == 1


@pytest.mark.parametrize("answer", [LOST, "421 bye\r\n421 bye\r\n421 bye"], ids=["lost", "421"])
def test_a_kept_connection_that_is_over_is_stale(answer: str | PeerFailure) -> None:
    dialogue = ClientTransaction(outgoing(), greeted=GREETED, stay=lambda: True)
    assert lines(drive(dialogue, [answer])) == [GROUP]
    assert dialogue.is_stale
    assert dialogue.outcomes == []


@pytest.mark.parametrize(
    "failure",
    [
        PeerFailure(Reason.CONNECTION_LOST, "gone", in_answer=True),
        PeerFailure(Reason.TIMEOUT, "late"),
    ],
    ids=["in the middle of the answer", "timeout"],
)
def test_a_failure_of_another_kind_is_not_stale(failure: PeerFailure) -> None:
    dialogue = ClientTransaction(outgoing(), greeted=GREETED, stay=lambda: True)
    drive(dialogue, [failure])
    assert not dialogue.is_stale
    assert [outcome.reason for outcome in dialogue.outcomes] == [failure.reason]


def test_a_new_connection_is_never_stale() -> None:
    dialogue = ClientTransaction(outgoing(), tls=TlsUse.NEVER)
    drive(dialogue, [LOST])
    assert not dialogue.is_stale
    assert len(dialogue.outcomes) == 1
