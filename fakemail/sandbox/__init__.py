"""The command line: a fake internet that runs until it is ended, for programs in any language.

It uses what tests use and decides nothing about mail, protocols or names.
"""
