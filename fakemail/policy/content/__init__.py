"""Content checks of the receiving side: small checks by name, the rules they go by, and their score.

A check looks at a :class:`~fakemail.policy.content.content_view.Matter` and says what is wrong in one sentence, or
nothing. What follows from that is the chain's affair. No check raises, whatever the bytes, and all of them
together read a message a bounded number of times.
"""
