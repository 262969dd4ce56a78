"""Sending mail: the queue, MX routing, transfer, TLS requirements, retries and bounces."""
