"""Mailboxes: what was delivered, exactly as it was received.

Nothing here parses a message, and nothing here decides whether one is taken.
"""
