"""What time costs: a day of retries, an empty queue, and mail over several hops.

Run it by hand: ``python benchmarks/queue.py``. Times are wall times of one process; the targets are
those of a machine with two cores that does nothing else.
"""

from __future__ import annotations

import smtplib
import time

from fakemail import MailNet, days, minutes

MESSAGE = b"Subject: benchmark\r\n\r\n" + b"x" * 1000 + b"\r\n"


def send(settings: object, sender: str, recipients: list[str], number: int) -> None:
    with settings.smtplib() as client:  # type: ignore[attr-defined]
        assert isinstance(client, smtplib.SMTP)
        for _ in range(number):
            client.sendmail(sender, recipients, MESSAGE)


def retries(number: int) -> float:
    """A day for messages that are greylisted first."""
    with MailNet(timeout=120) as net:
        bob = net.account("bob@example.org")
        net.domain("example.org").policy(greylist=minutes(5))
        net.queue.hold()
        settings = net.submission
        with settings.smtplib() as client:
            for place in range(number):
                client.sendmail(f"shop{place}@shop.test", [bob.address], MESSAGE)
        began = time.perf_counter()
        net.queue.flush()
        net.clock.advance(days(1))
        took = time.perf_counter() - began
        assert len(bob.inbox) == number
        return took


def idle() -> float:
    """Five days of an empty queue."""
    with MailNet() as net:
        net.domain("example.org")
        began = time.perf_counter()
        net.clock.advance(days(5))
        return time.perf_counter() - began


def two_hops(number: int) -> float:
    """Messages a second from a client, over the submission server, into a mailbox."""
    with MailNet(timeout=120) as net:
        bob = net.account("bob@example.org")
        settings = net.submission
        began = time.perf_counter()
        send(settings, "shop@shop.test", [bob.address], number)
        net.settle()
        took = time.perf_counter() - began
        assert len(bob.inbox) == number
        return number / took


def hops(number: int, relays: int) -> float:
    """Seconds for each message over so many relays and the mail host."""
    with MailNet(timeout=120) as net:
        bob = net.account("bob@example.org")
        shop = net.account("hello@shop.test")
        if relays:
            net.route("shop.test", via=[f"relay{place}.example.net" for place in range(relays)])
        began = time.perf_counter()
        send(shop.submission, shop.address, [bob.address], number)
        net.settle()
        took = time.perf_counter() - began
        assert len(bob.inbox) == number
        return took / number


def main() -> None:
    retries(10)  # the first world of a process pays for its imports
    print(f"{'a day of retries for 1,000 messages':50} {retries(1000):8.2f} s      target 10")
    print(f"{'five days of an empty queue':50} {idle() * 1000:8.2f} ms     target 1")
    print(f"{'submission to mailbox, two hops':50} {two_hops(500):8.0f} msg/s  target 400")
    for relays in (0, 4):
        print(f"{f'{relays + 2} hops, connections kept':50} {hops(100, relays) * 1000:8.2f} ms a message")


if __name__ == "__main__":
    main()
