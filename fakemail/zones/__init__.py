"""Zones of the described internet: records of hosts and domains, keys, TLS policies, flaws."""
