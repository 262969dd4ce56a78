"""Mail transfer without sockets: who a recipient is, where a domain's mail goes, what a host does with a message.

Questions to DNS and to other servers are yielded or returned as values; somebody else asks them.
"""
