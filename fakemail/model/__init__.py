"""The described internet, as values: hosts, domains, accounts, and the world that holds them together.

Descriptions only: nothing here listens, delivers or knows what happened.
"""
