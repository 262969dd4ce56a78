"""Tests of async code: the same words, with ``await`` in front of what waits."""

from __future__ import annotations

import pytest
from newsletter import send_newsletter

from fakemail import AsyncMailNet

pytestmark = pytest.mark.asyncio


async def test_every_reader_gets_the_news(async_mailnet: AsyncMailNet) -> None:
    readers = async_mailnet.accounts("ann@example.org", "bob@example.net", "eve@readers.example")
    smtp = async_mailnet.account("news@example.com").submission

    refused = await send_newsletter(
        "All new.",
        [reader.address for reader in readers],
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password,
        tls_context=smtp.ssl_context,
    )

    assert refused == []
    for reader in readers:
        mail = await reader.inbox.wait_for_one(subject="News")
        assert mail.text.startswith("All new.\n")
        assert mail.link("Unsubscribe").endswith(reader.address.replace("@", "%40"))


async def test_large_providers_would_take_the_news(async_mailnet: AsyncMailNet) -> None:
    ann = async_mailnet.account("ann@example.org")
    smtp = async_mailnet.account("news@example.com").submission

    await send_newsletter(
        "All new.",
        [ann.address],
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password,
        tls_context=smtp.ssl_context,
    )

    report = async_mailnet.deliverability(await ann.inbox.wait_for_one())
    assert report.ok, report


async def test_mail_for_a_domain_that_does_not_exist_goes_nowhere(async_mailnet: AsyncMailNet) -> None:
    smtp = async_mailnet.account("news@example.com").submission

    await send_newsletter(
        "All new.",
        ["ann@no-such.example"],
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password,
        tls_context=smtp.ssl_context,
    )
    await async_mailnet.settle()

    # The submission server took it. What became of it then is in the journey.
    print(async_mailnet.journey(to="ann@no-such.example"))
    assert async_mailnet.dns.queries(name="no-such.example", type="MX").one().answer == "NXDOMAIN"
