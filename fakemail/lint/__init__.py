"""What an app did on the wire that a stricter server would mind, found in what the log remembers.

Nothing here changes what servers of the fake internet answer, and nothing runs before somebody asks.
"""
