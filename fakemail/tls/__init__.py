"""TLS: the certificate authority of this process, contexts made from it, and a TLS layer without sockets.

``authority`` makes certificates, ``contexts`` makes ``ssl`` contexts, ``layer`` turns ciphertext into
plaintext and says why a handshake failed. No sockets, and nothing of any mail protocol.
"""
