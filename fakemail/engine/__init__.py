"""Runs a described internet: wires cores, sockets, stores and the log together, host by host.

What tests see of it is in :mod:`fakemail.api`.
"""
