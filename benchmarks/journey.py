"""What time costs: a day of retries, an empty queue, and mail over several hops.

Run it by hand: ``python benchmarks/journey.py``. Times are wall times of one process, its client included; the
targets are those of a machine with two cores that does nothing else. Hops are told in terms of one delivery to
a plain aiosmtpd ``Controller`` too, measured in turns with them. The client says the same to both, in clear text, over
a connection for each message.
"""

from __future__ import annotations

import smtplib
import socket
import time

from measure import median

from fakemail import MailNet, days, minutes

MESSAGE = b"Subject: benchmark\r\n\r\n" + (b"x" * 78 + b"\r\n") * 12


def send(settings: object, sender: str, recipients: list[str], number: int, message: bytes = MESSAGE) -> None:
    with settings.smtplib() as client:  # type: ignore[attr-defined]
        assert isinstance(client, smtplib.SMTP)
        for _ in range(number):
            client.sendmail(sender, recipients, message)


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


def two_hops(number: int, *, signed: bool = False) -> float:
    """Messages a second from a client, over the submission server, into a mailbox; signed with RSA, or not."""
    with MailNet(timeout=120) as net:
        bob = net.account("bob@example.org")
        settings = net.submission
        message = b"From: shop@shop.test\r\n" + MESSAGE
        if signed:
            net.domain("shop.test").dkim_key()  # the first key of a process is made once
        began = time.perf_counter()
        send(settings, "shop@shop.test", [bob.address], number, message)
        net.settle()
        took = time.perf_counter() - began
        assert len(bob.inbox) == number
        return number / took


def hops(number: int, relays: int, *, kept: bool) -> float:
    """Seconds for each message over a submission server, so many relays, and the mail host."""
    with MailNet(timeout=120) as net:
        bob = net.account("bob@example.org")
        net.account("hello@shop.test")
        names = [f"relay{place}.example.net" for place in range(relays)]
        if relays:
            net.route("shop.test", via=names)
        submission = net.domain("shop.test").submission_host
        for host in (submission, *map(net.host, names)):
            host.configure(keep_connections=kept)
        # What the client does is the same for the peer: clear text, no AUTH.
        submission.configure(require_auth=False)
        settings = submission.settings("submission")
        hand_in(settings.host, settings.port, bob.address, 1)  # each host makes its certificate
        net.settle()
        began = time.perf_counter()
        hand_in(settings.host, settings.port, bob.address, number)
        net.settle()
        took = time.perf_counter() - began
        assert len(bob.inbox) == number + 1
        return took / number


def peer(number: int) -> float:
    """Seconds for each message to a plain aiosmtpd ``Controller`` that keeps it in a list."""
    from aiosmtpd.controller import Controller

    messages = []

    class Keep:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
            messages.append(envelope)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        began = time.perf_counter()
        hand_in("127.0.0.1", port, "bob@example.org", number)
        took = time.perf_counter() - began
    finally:
        controller.stop()
    assert len(messages) == number
    return took / number


def hand_in(host: str, port: int, recipient: str, number: int) -> None:
    """Send so many messages, over a connection for each."""
    for _ in range(number):
        with smtplib.SMTP(host, port, local_hostname="client.test") as client:
            client.sendmail("hello@shop.test", [recipient], MESSAGE)


def in_terms_of_peer(*, kept: bool, rounds: int = 5) -> tuple[float, float]:
    """The median time of a message over six hops, and how many deliveries to the peer that is, taking turns."""
    pairs = [(hops(100, 4, kept=kept), peer(100)) for _ in range(rounds)]
    return median(ours for ours, _ in pairs), median(ours / theirs for ours, theirs in pairs)


def main() -> None:
    retries(10)  # the first world of a process pays for its imports
    print(f"{'a day of retries for 1,000 messages':58} {retries(1000):8.2f} s      target 10")
    print(f"{'five days of an empty queue':58} {idle() * 1000:8.2f} ms     target 1")
    print(f"{'submission to mailbox, two hops':58} {two_hops(500):8.0f} msg/s  target 400")
    print(f"{'the same, each signed by the domain':58} {two_hops(500, signed=True):8.0f} msg/s")
    for kept, target in ((False, 12), (True, 4)):
        took, ratio = in_terms_of_peer(kept=kept)
        words = "connections kept" if kept else "a connection with TLS for each message at each"
        print(f"{f'six hops, {words}':58} {took * 1000:8.2f} ms a message")
        print(f"{'the same, in deliveries to a plain aiosmtpd':58} {ratio:8.1f}        target {target}")


if __name__ == "__main__":
    main()
