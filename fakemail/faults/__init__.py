"""What goes wrong, as data: rules that say who, at which stage, how often, and what happens.

Nothing here does any of it: sessions and shells ask the book and act.
"""
