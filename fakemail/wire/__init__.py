"""The only sockets: servers and clients that move bytes between the network and the pure cores.

No protocol decision is made here; those live in the packages below.
"""
