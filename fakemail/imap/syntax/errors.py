"""What is wrong with a command, told so that the session can answer it.

Nothing here parses; the errors of whole commands live here because framing and parsing share them.
"""

from __future__ import annotations

from fakemail.errors import ProtocolError


class CommandError(ProtocolError):
    """A command that breaks the grammar or a limit.

    ``tag`` is None when none could be read (the response is then untagged, RFC 9051 §7.1.3), ``response`` is
    ``"BAD"`` or ``"NO"``, ``code`` a response code without brackets, ``text`` says what was expected and where.
    ``command`` is the name of the command, upper-case and without UID, empty while it is not known.
    """

    def __init__(
        self,
        text: str,
        *,
        tag: str | None = None,
        command: str = "",
        response: str = "BAD",
        code: str | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag
        self.command = command
        self.response = response
        self.code = code


class UnknownCommand(CommandError):
    """The word after the tag is no command of ours."""
