"""What a mailing list does to a message."""

from __future__ import annotations

import email
import email.policy

import pytest

from fakemail.message import samples
from fakemail.message.message import MessageView
from fakemail.model.mailing_list import MailingListSpec
from fakemail.mta.inbound.mailing_lists import is_looping, rewrite, unsubscribe_url
from fakemail.types.address import address

FRIENDS = MailingListSpec(
    address("friends@lists.test"), (address("bob@example.org"),), name="Friends of fish"
)

SAMPLES = {
    "plain": samples.plain(),
    "html": samples.html(text=None),
    "alternative": samples.html(),
    "attachment": samples.with_attachment(),
    "latin-1": samples.eight_bit(),
    "utf-8": samples.utf8(),
    "picture": samples.inline_picture(),
}


@pytest.mark.parametrize("raw", SAMPLES.values(), ids=SAMPLES)
def test_fields_and_footer(raw):
    """RFC 2369 §3, RFC 2919 §3, RFC 8058 §3.1."""
    mail = MessageView(rewrite(raw, FRIENDS))
    assert mail.subject == f"[Friends of fish] {MessageView(raw).subject}"
    assert mail.headers.all("Subject") == [mail.subject]
    assert mail.headers["List-Id"] == "Friends of fish <friends.lists.test>"
    assert mail.headers["List-Post"] == "<mailto:friends@lists.test>"
    assert mail.headers["List-Unsubscribe"] == (
        f"<{unsubscribe_url(FRIENDS)}>, <mailto:friends-unsubscribe@lists.test>"
    )
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.headers.all("Content-Type") != []
    parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert not parsed.defects
    assert any(unsubscribe_url(FRIENDS) in part.get_content() for part in parsed.walk()
               if part.get_content_type() == "text/plain")  # fmt: skip
    old = MessageView(raw)
    if old.root.content_type != "text/html" and old.root.type.sub != "related":
        assert mail.text.startswith(old.text.rstrip("\n"))
    assert mail.html == old.html
    assert [each.content for each in mail.attachments] == [each.content for each in old.attachments]


def test_quoted_printable_stays_what_it_is():
    raw = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9"
    footed = MailingListSpec(FRIENDS.address, footer="a=b")
    assert MessageView(rewrite(raw, footed)).text.startswith("café\n")
    assert MessageView(rewrite(raw, footed)).text.endswith("a=b\n")


def test_a_prefix_is_not_repeated_and_can_be_none():
    again = samples.plain(subject="Re: [friends of fish] Hello")
    assert MessageView(rewrite(again, FRIENDS)).subject == "Re: [friends of fish] Hello"
    bare = MailingListSpec(FRIENDS.address, prefix="", footer="")
    assert MessageView(rewrite(samples.plain(), bare)).subject == "Hello"
    assert rewrite(samples.plain(), bare).endswith(samples.plain().partition(b"\r\n\r\n")[2])


def test_what_went_through_is_known_even_behind_another_list():
    other = MailingListSpec(address("other@lists.test"))
    once = rewrite(samples.plain(), FRIENDS)
    assert not is_looping(MessageView(samples.plain()).headers, FRIENDS)
    assert is_looping(MessageView(once).headers, FRIENDS)
    assert is_looping(MessageView(rewrite(once, other)).headers, FRIENDS)


def test_addresses_of_its_own():
    assert str(FRIENDS.role("bounces")) == "friends-bounces@lists.test"
    member = FRIENDS.role("bounces", address("bob@example.org"))
    assert str(member) == "friends-bounces+bob=example.org@lists.test"
