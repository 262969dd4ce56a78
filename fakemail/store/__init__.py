"""Mailboxes in memory: the messages of every account, exactly as they were received, and what belongs to them.

``mailstore`` finds the accounts, ``account`` is the tree of one, ``mailbox`` one mailbox, ``message`` and
``content`` the messages in it; ``listeners`` announces changes. Everything that changes a store
runs on one thread; other threads take snapshots.

No syntax of IMAP or POP3 lives here, and nothing decides whether a message is taken.
"""
