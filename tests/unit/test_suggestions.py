"""Names and keywords that are not there: the text names the ones that may be meant."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

import fakemail
from fakemail import (
    AsyncMailNet,
    Fate,
    HasAttachment,
    HasLink,
    HasSubject,
    MailNet,
    Message,
    Reason,
    Settings,
    Stage,
    faults,
    samples,
)
from fakemail.api.faults import Faults
from fakemail.events.journey import Journey
from fakemail.message.envelope import Envelope
from fakemail.types.suggestions import GUESSES, KEYWORDS, Suggests


@pytest.fixture
def net():
    with MailNet() as net:
        yield net


@pytest.fixture
def bob(net):
    return net.account("bob@example.org")


def every_kind(kind: type) -> set[type]:
    return {kind}.union(*(every_kind(each) for each in kind.__subclasses__()))


KINDS = {each.__name__: each for each in every_kind(Suggests)} | {"Stage": Stage, "Envelope": Envelope}


@pytest.mark.parametrize(
    ("kind", "guess"), [(kind, each) for kind, table in GUESSES.items() for each in table]
)
def test_every_guess_is_wrong_and_what_is_meant_is_there(kind, guess):
    known = set(dir(KINDS[kind])) | set(getattr(KINDS[kind], "__dataclass_fields__", ()))
    assert guess not in known
    known |= {
        name for each in ({Stage} if kind == "Stage" else every_kind(KINDS[kind])) for name in dir(each)
    }
    known |= {"password", "name", "raw"}  # set when it is made
    meant = GUESSES[kind][guess]
    if not meant.startswith(("inbox[", "len(")):
        assert meant.partition("(")[0].partition(".")[0] in known


TAKEN = {
    name
    for kind in (*KINDS.values(), faults, samples)
    for _, function in inspect.getmembers(kind, inspect.isfunction)
    for name in inspect.signature(function).parameters
} | {"subject", "sender", "to", "matching"}


@pytest.mark.parametrize("meant", sorted({each for texts in KEYWORDS.values() for each in texts.split()}))
def test_every_keyword_that_is_meant_is_taken_by_something(meant):
    assert meant in TAKEN


@pytest.mark.parametrize(
    ("look", "meant"),
    [
        (lambda net, bob: bob.inbox.last, "'inbox[-1]'"),
        (lambda net, bob: bob.inbox.count, "'len(inbox)'"),
        (lambda net, bob: bob.inbox.wait_for_on, "'wait_for_one'"),
        (lambda net, bob: bob.inbox.put("Subject: Hi\n\nHello").body, "'text'"),
        (lambda net, bob: bob.inbox.put("Subject: Hi\n\nHello").sbject, "'subject'"),
        (lambda net, bob: bob.submission.user, "'username'"),
        (lambda net, bob: bob.submission.context, "'ssl_context'"),
        (lambda net, bob: bob.email, "'address'"),
        (lambda net, bob: bob.passwrd, "'password'"),
        (lambda net, bob: bob.domain.submission, "'submission_host'"),
        (lambda net, bob: bob.domain.submission_host.hostname, "'name'"),
        (lambda net, bob: net.stop, "'close()'"),
        (lambda net, bob: net.acount, "'account'"),
        (lambda net, bob: net.clock.move, "'advance(hours(1))'"),
        (lambda net, bob: net.queue.flsh, "'flush'"),
        (lambda net, bob: net.dns.recrd, "'record"),
        (lambda net, bob: net.faults.lift, "'clear()'"),
        (lambda net, bob: net.faults.drop(Stage.SMTP_RCPT).lift, "'remove()'"),
        (lambda net, bob: net.journeys().on, "'one'"),
        (lambda net, bob: Stage.TCP_CONNECT, "'CONNECT'"),
        (lambda net, bob: Stage.SMTP_RCTP, "'SMTP_RCPT'"),
        (lambda net, bob: Reason.NO_USER, "'NO_SUCH_USER'"),
        (lambda net, bob: fakemail.MailNett, "'MailNet'"),
        (lambda net, bob: faults.dorp, "'drop'"),
        (lambda net, bob: samples.plian, "'plain'"),
        (lambda net, bob: net.queue_, "'queue'"),  # what is set when it is made
        (lambda net, bob: net.clok, "'clock'"),
        (lambda net, bob: bob.inbox.put("Subject: Hi\n\nHello").raw_, "'raw'"),
        (lambda net, bob: Stage.smtp_rcpt, "'SMTP_RCPT'"),  # whatever the case
        (lambda net, bob: bob.Password, "'password'"),
        (lambda net, bob: net.faults.starttls_fail, "'inject_after_starttls' or 'refuse_starttls'"),
        (lambda net, bob: HasSubject("Hi").matchs, "'matches'"),
    ],
)
def test_a_name_that_is_not_there(net, bob, look, meant):
    with pytest.raises(AttributeError, match=r"has no attribute '\w+'; did you mean ") as failed:
        look(net, bob)
    assert f"did you mean {meant}" in str(failed.value)


def test_a_journey_and_its_fate(net, bob):
    with net.mx("example.org").smtplib() as client:
        client.sendmail("a@b.example", [bob.address], "Subject: Hi\n\nHello")
    journey = net.journey(to=bob)
    with pytest.raises(AttributeError, match="did you mean 'fate'"):
        _ = journey.status
    with pytest.raises(AttributeError, match="did you mean 'mailbox'"):
        _ = journey.fate.mailbx


def test_an_envelope_and_events(net, bob):
    with net.mx("example.org").smtplib() as client:
        client.sendmail("a@b.example", [bob.address], "Subject: Hi\n\nHello")
    envelope = bob.inbox.one().envelope
    for look, meant in [
        (lambda: envelope.mail_from, "'sender'"),
        (lambda: envelope.rcpt_to, "'recipients'"),
        (lambda: envelope.recipients[0].adress, "'address'"),
        (lambda: envelope.origin.elho, "'helo'"),
        (lambda: envelope.origin.peer.adress, "'address'"),
        (lambda: net.events(Stage.SMTP_RCPT)[0].rply, "'reply'"),
    ]:
        with pytest.raises(AttributeError, match=f"did you mean {meant}"):
            look()
    assert copy.deepcopy(envelope) == pickle.loads(pickle.dumps(envelope)) == envelope


def test_both_faces_answer_alike():
    with pytest.raises(
        AttributeError, match=r"'AsyncMailNet' object has no attribute 'stop'; did you mean 'close\(\)'"
    ):
        _ = AsyncMailNet().stop


def test_an_error_inside_a_property_is_not_taken_for_a_missing_name():
    class Handle(Suggests):
        @property
        def broken(self):
            return self.nothing_like_this

    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = Handle().broken


def test_who_asks_politely_is_answered_politely(net, bob):
    assert not hasattr(bob, "email")
    assert getattr(bob.inbox, "last", None) is None
    assert copy.copy(bob.inbox) is not None
    settings = pickle.loads(pickle.dumps(bob.submission))
    assert settings.username == bob.address
    with pytest.raises(AttributeError, match="did you mean 'username'"):
        _ = settings.user
    assert pickle.loads(pickle.dumps(Stage.SMTP_RCPT)) is Stage.SMTP_RCPT
    assert [Stage["DELIVER"], Stage("deliver")] == [Stage.DELIVER] * 2


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda net, bob: net.faults.add(Stage.SMTP_RCPT, faults.drop(), recipient="x@y.example"), "'to'"),
        (lambda net, bob: net.faults.drop(Stage.SMTP_RCPT, tims=1), "'times'"),
        (lambda net, bob: bob.domain.faults.mailbox_full(rcpt="x@y.example"), "'to'"),
        (lambda net, bob: bob.domain.faults.mailbox_full(for_god=True), "'for_good'"),
        (lambda net, bob: bob.faults.add(Stage.IMAP_LOGIN, faults.drop(), count=1), "'times'"),
        (lambda net, bob: net.dns.faults.servfail("example.org", qtype="MX"), "'type'"),
        (lambda net, bob: faults.partial_reply(thn="drop"), "'then'"),
        (lambda net, bob: bob.configure(pasword="x"), "'password'"),
        (lambda net, bob: bob.domain.policy(greylst=1), "'greylist'"),
        (lambda net, bob: bob.domain.policy(spff="fail"), "'spf'"),
        (lambda net, bob: bob.domain.policy(rate=1), "'address_rate' or 'connection_rate'"),
        (lambda net, bob: HasAttachment(name="a.pdf"), "'filename'"),
        (lambda net, bob: HasLink(txt="a"), "'text'"),
        (lambda net, bob: bob.domain.hosts[0].configure(hid={"PIPELINING"}), "'hide'"),
        (lambda net, bob: bob.domain.publish(spff=""), "'spf'"),
        (lambda net, bob: bob.inbox.one(title="Hi"), "'subject'"),
        (lambda net, bob: bob.inbox.wait_for_one(recipient="x"), "'to'"),
        (lambda net, bob: bob.inbox.wait_for_count(1, timout=1), "'timeout'"),
        (lambda net, bob: net.settle(seconds=1), "'timeout'"),
        (lambda net, bob: net.host("mx.example.com", service=["smtp"]), "'services'"),
        (lambda net, bob: net.journeys(recipient=bob), "'to'"),
        (lambda net, bob: MailNet(sed=1), "'seed'"),
        (lambda net, bob: samples.plain(sender="a@b.example", to="c@d.example", subjet="x"), "'subject'"),
    ],
)
def test_a_keyword_that_is_not_taken(net, bob, call, meant):
    with pytest.raises((TypeError, fakemail.DeclarationError), match="did you mean ") as failed:
        call(net, bob)
    assert meant in str(failed.value).partition("did you mean ")[2]


def test_the_text_names_what_was_called(net, bob):
    with pytest.raises(TypeError, match=r"^mailbox_full\(\) got an unexpected keyword argument 'rcpt'"):
        bob.domain.faults.mailbox_full(rcpt="x@y.example")
    with pytest.raises(TypeError, match=r"^MailNet\(\) got an unexpected keyword argument 'sed'"):
        MailNet(sed=1)


def test_signatures_stay_what_they_are():
    assert "recipient" not in inspect.signature(Faults.add).parameters
    assert "to" in inspect.signature(Faults.add).parameters
    assert "seed" in inspect.signature(MailNet).parameters
    assert inspect.iscoroutinefunction(AsyncMailNet.settle)
    assert {Journey, Fate, Message, Settings} <= set(KINDS.values())
