"""SASL (RFC 4422): each mechanism's server side and client side as pure steps, for SMTP, IMAP and POP3.

``exchange`` has the values and the two objects that a protocol core drives, ``mechanisms`` the table,
and one module per family holds the steps. Bytes come in decoded and go out undecoded: base64, the
``*`` that cancels and the replies are the business of each protocol's own edge. No sockets, no TLS.
"""
