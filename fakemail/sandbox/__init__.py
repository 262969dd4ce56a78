"""The command line: a fake internet that stands until it is told to end, for programs in any language.

It uses what tests use and decides nothing about mail, protocols or names.
"""
