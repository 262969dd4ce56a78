"""Policies as people write them: what is read, what is written, and what mistakes are called."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta

import pytest

from fakemail import DeclarationError, MailNet, hours, minutes
from fakemail.model.policy import HONOUR, Disposition, DispositionMap, Policy, RateLimit
from fakemail.model.policy_schema import DOMAIN_POLICY, read_policy

EVERY = {
    "dnsbl": {"zen.example": "refuse", "grey.example": "tag"},
    "dnswl": "good.example",
    "ptr": "refuse",
    "helo": {"own_name": "refuse", "not_fqdn": "tag"},
    "max_connections": 0,
    "connection_rate": (10, minutes(1)),
    "address_rate": [100, 3600],
    "greylist": 300,
    "greylist_retry_within": hours(5),
    "greylist_remember_for": 0.5,
    "greylist_allow": ["203.0.113.0/24", "shop.test"],
    "rhsbl": ["dbl.example"],
    "sender_domain": "defer",
    "sender_rate": (1, 1),
    "domain_rate": (1, 1),
    "own_domain": "quarantine",
    "null_sender": {"recipients": "refuse"},
    "recipient_rate": (1, 1),
    "unknown_user": "bounce",
    "spf": {"fail": "refuse", "softfail": "tag"},
    "dkim": "discard",
    "dmarc": "accept",
    "authentication_results": True,
    "received_spf": True,
    "subject_tag": "[SPAM]",
    "delay": minutes(5),
}


def test_every_keyword_can_be_read_and_written():
    policy = read_policy("example.org", EVERY)
    again = read_policy("example.org", DOMAIN_POLICY.write(policy))
    assert again == policy
    assert hash(policy) == hash(again)
    written = json.loads(json.dumps(DOMAIN_POLICY.write(policy)))  # plain types only
    assert written["address_rate"] == [100, 3600]
    assert written["helo"] == {"own_name": "refuse", "not_fqdn": "tag"}


def test_what_is_read():
    policy = read_policy("example.org", EVERY)
    assert policy.dnsbl == DispositionMap(
        (("zen.example", Disposition.REFUSE), ("grey.example", Disposition.TAG)), fails_open=True
    )
    assert policy.ptr == DispositionMap((("fail", Disposition.REFUSE),))
    assert policy.address_rate == RateLimit(100, timedelta(hours=1))
    assert policy.dnswl == ("good.example",)
    assert read_policy("x", {}).dmarc == read_policy("x", {"dmarc": "honour"}).dmarc == HONOUR
    assert read_policy("x", {"greylist": None}) == Policy(), "nothing is as usual"


@pytest.mark.parametrize("name", DOMAIN_POLICY.keys)
def test_every_keyword_says_what_it_may_be_and_refuses_nonsense(name):
    kind = DOMAIN_POLICY.keys[name]
    assert kind.says
    with pytest.raises(DeclarationError, match=name):
        read_policy("example.org", {name: object()})


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"greylst": 5}, "there is no policy 'greylst'; did you mean 'greylist'"),
        ({"spf": "refus"}, "'spf' cannot be 'refus'; did you mean 'refuse'?"),
        ({"helo": {"own": "tag"}}, "'helo' finds no 'own'; known: bare_address, not_fqdn, own_name"),
        ({"helo": {}}, "'helo' is an empty table; leave it out for no check."),
        ({"helo": True}, "'helo' is a word such as 'refuse', or a table of such words, not True."),
        ({"dnsbl": ()}, "'dnsbl' names no list; leave it out for none."),
        ({"dnsbl": {"zen.example": "no"}}, "'dnsbl' cannot be 'no'; known: accept, bounce"),
        ({"dnsbl": [""]}, "'dnsbl' names lists by their zones, such as 'zen.example', not ''."),
        ({"address_rate": 5}, "'address_rate' is a number and a span, such as (100, hours(1)), not 5."),
        ({"address_rate": (5, 0)}, "'address_rate' needs a span that is longer than nothing."),
        ({"address_rate": (-5, 1)}, "'address_rate' is a whole number from 0 up, not -5."),
        ({"greylist": -1}, "'greylist' is a duration and cannot be negative: -0:00:01 (h:mm:ss)."),
        ({"greylist": float("nan")}, "'greylist' cannot be nan seconds."),
        ({"max_connections": True}, "'max_connections' is a whole number from 0 up, not True."),
        ({"unknown_user": "tag"}, "'unknown_user' cannot be 'tag'; known: bounce, discard, refuse."),
        ({"subject_tag": "a\nb"}, "'subject_tag' is a line of text, not 'a\\nb'."),
        ({"greylist_allow": [5]}, "'greylist_allow' is a text or a list of texts, not [5]."),
        (
            {"greylist_allow": "10.0.0.0/99"},
            "'greylist_allow' names networks, addresses, domains or hosts; '10.0.0.0/99' is none",
        ),
        ({"dnswl": ["no zone"]}, "'dnswl' names lists by their zones, such as 'zen.example', not 'no zone'."),
        ({"dnsbl": "x" * 70 + ".example"}, "'dnsbl' names lists by their zones"),
        ({"greylist": timedelta.max}, "'greylist' is a duration of 36500 days at most, not 999999999 days"),
        ({"bulk_sender": "gmail"}, "'bulk_sender' knows nobody 'gmail'; did you mean 'gmail-like'"),
        ({"bulk_sender": {"like": "gmail-like", "to": 1}}, "'bulk_sender' has no 'to'; known: counts_from"),
    ],
)
def test_what_mistakes_are_called(keywords, text):
    with pytest.raises(DeclarationError) as error:
        read_policy("example.org", keywords)
    assert f"domain 'example.org': {text}" in str(error.value)


def test_all_mistakes_are_told_at_once_and_nothing_is_changed():
    with MailNet() as net:
        domain = net.domain("example.org").policy(greylist=minutes(5))
        with pytest.raises(DeclarationError) as error:
            domain.policy(spf="refus", helo=5, greylist="soon")
        assert str(error.value).splitlines() == [
            "domain 'example.org': 3 mistakes in its policy:",
            "  'spf' cannot be 'refus'; did you mean 'refuse'?",
            "  'helo' is a word such as 'refuse', or a table of such words, not 5.",
            "  'greylist' is a duration such as minutes(5), or a number of seconds, not 'soon'.",
        ]
        assert "greylist = 300" in net.to_toml()


def test_the_configuration_file_has_the_same_keywords():
    with MailNet() as net:
        net.domain("example.org").policy(**EVERY)
        text = net.to_toml()
        assert tomllib.loads(text)["domains"]["example.org"]["policy"]["delay"] == 300
    with MailNet(config=text) as again:
        assert again.to_toml() == text
    with pytest.raises(DeclarationError) as error:
        MailNet(config="[domains.a]\ngreylist = 5\npolicy.greylist = 6\npolicy.spf = 'no'\n")
    assert "line 4: [domains.a.policy]: 'spf' cannot be 'no'" in str(error.value)
    assert "line 2: [domains.a]: 'greylist' stands in the table 'policy' as well" in str(error.value)
