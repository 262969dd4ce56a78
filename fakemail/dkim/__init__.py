"""Signatures in messages: DKIM and ARC, made and checked, and their keys.

Nothing here asks the DNS itself or decides what becomes of a message: who checks brings the records, who
signs brings the key. No socket, no clock.
"""
