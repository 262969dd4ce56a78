"""IMAP servers: syntax, content, commands and sessions.

Here live the pure cores of RFC 3501 and RFC 9051 and their extensions: bytes in, bytes out. Nothing here
knows a socket, a thread or an event loop, and mailboxes themselves live in :mod:`fakemail.store`.
"""
