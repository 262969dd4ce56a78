"""Lint of SMTP, IMAP and POP3 clients: findings from the log that a stricter server would mind.

Nothing here changes what servers of the fake internet answer, and nothing runs before somebody asks.
"""
