"""``python -m fakemail``: the same as the command ``fakemail``."""

from fakemail.sandbox.cli import main

if __name__ == "__main__":
    main(prog_name="fakemail")
