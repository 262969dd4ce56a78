"""POP3 (RFC 1939): a session that is fed bytes, its table of commands, and the maildrop that it holds.

No socket lives here, and no mailbox: messages are those of :mod:`fakemail.store`.
"""
