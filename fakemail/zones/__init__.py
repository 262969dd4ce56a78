"""What the described internet publishes in DNS: records of hosts and domains, keys, TLS policies, flaws."""
