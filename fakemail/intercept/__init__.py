"""Ways to bring a program's traffic to the fake internet: a Linux namespace, a redirect in the process.

Nothing here knows a mail protocol or what is declared; it is told which address is where.
"""
