"""Parts that the sessions of SMTP, IMAP and POP3 share: lines, output, faults, logins, what is recorded.

Bytes in, bytes out: no event loop, no socket, and no word of any one protocol.
"""
