"""Every single failure point of a journey, and what an app made of each: data and verdicts.

The runs themselves are made by :mod:`fakemail.api.sweep`.
"""
