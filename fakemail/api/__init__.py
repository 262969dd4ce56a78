"""What tests import: the sync and async faces, handles, results, waits, matchers and failure text.

No protocol and no server code lives here.
"""
