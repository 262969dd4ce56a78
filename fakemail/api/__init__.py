"""Public classes of tests: the blocking and the awaited face, handles, results, waits, matchers, failure texts.

No protocol and no server code lives here.
"""
