"""The command ``fakemail``. Only options live here; what a command does is imported when it is called."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import click

from fakemail import __version__

if TYPE_CHECKING:
    from pathlib import Path


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fakemail", message="%(prog)s %(version)s")
def main() -> None:
    """A whole mail internet on this machine: DNS, TLS, SMTP and mailboxes, on loopback only."""
    # Mail brings any character; a terminal that cannot show one must not end the command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _told_to_people() -> Iterator[None]:
    """Turn what a user can put right into a message without a traceback, and exit code 1."""
    from fakemail.errors import DeclarationError, PortInUse

    try:
        yield
    except (DeclarationError, PortInUse) as error:
        raise click.ClickException(str(error)) from None


def _say(text: str) -> None:
    """Print to standard output; where that cannot be, say so instead of ending in a traceback."""
    try:
        click.echo(text)
    except BrokenPipeError:
        raise  # the reader has seen enough; click ends quietly
    except OSError as error:
        # What is still in the buffer would be tried again, in vain, when Python ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.ClickException(f"the output cannot be written: {error.strerror}.") from None


def _path(name: str) -> Path:
    from pathlib import Path  # the version and the help need none

    return Path(name)


@main.command(short_help="Print the version.")
def version() -> None:
    """Print the version."""
    _say(f"fakemail {__version__}")


@main.command(short_help="Send three messages, and print the fate of each.")
def demo() -> None:
    """Send three messages through a fake internet, and print the fate of each.

    One arrives, one is refused by the mail host, one has nowhere to go.
    """
    from fakemail.sandbox.demo import play

    with _told_to_people():
        play(_say)


@main.command(short_help="Keep a fake internet running until Ctrl-C.")
@click.option("--config", metavar="FILE", help="A TOML file that describes the fake internet.")
@click.option(
    "--env-file",
    metavar="FILE",
    help="Write how to connect as NAME=value lines; a new file, removed at the end.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One line of JSON with everything, then one for each event."
)
@click.option("--ephemeral", is_flag=True, help="Let the system choose every port.")
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.")
@click.option(
    "--ca-dir",
    metavar="DIR",
    help="Keep the certificate authority here, the same at each start; by default in the user's state directory.",
)
@click.option(
    "--port-offset",
    type=click.IntRange(0, 64000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Listen on the real ports plus N.",
)
def up(
    config: str | None,
    env_file: str | None,
    as_json: bool,
    ephemeral: bool,
    seed: int | None,
    ca_dir: str | None,
    port_offset: int,
) -> None:
    """Keep a fake internet running until Ctrl-C, and print what happens in it.

    SMTP is on 127.0.0.1:1025, submission on 1587 (STARTTLS) and 1465 (TLS), IMAP on 1143 (STARTTLS) and 1993
    (TLS), POP3 on 1110 (STLS) and 1995 (TLS), DNS on 1053, unless told otherwise.
    """
    from fakemail.api.config import load
    from fakemail.runtime.port_plans import ANY_PORT
    from fakemail.sandbox.default_world import default_world
    from fakemail.sandbox.up import stand

    with _told_to_people():
        stand(
            default_world() if config is None else load(_path(config)),
            seed=seed,
            port_offset=ANY_PORT if ephemeral else port_offset,
            env_path=env_file,
            as_json=as_json,
            version=__version__,
            say=_say,
            ca_dir=None if ca_dir is None else _path(ca_dir).absolute(),
        )


@main.command(
    short_help="Run a command inside a fake internet (Linux).",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--config", metavar="FILE", help="A TOML file that describes the fake internet.")
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.")
@click.option(
    "--expose",
    multiple=True,
    metavar="ADDRESS:PORT",
    help="Make a service of this machine reachable for the command, such as 127.0.0.1:5432.",
)
@click.option(
    "--publish",
    multiple=True,
    metavar="PORT",
    help="Make a server of the command reachable from here: 8000, 8080:8000 (here first), 0:8000 (any port here).",
)
@click.option(
    "--journeys", is_flag=True, help="Print the journey of each message at the end, on standard error."
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@click.pass_context
def run(
    context: click.Context,
    config: str | None,
    seed: int | None,
    expose: tuple[str, ...],
    publish: tuple[str, ...],
    journeys: bool,
    command: tuple[str, ...],
) -> None:
    """Run a command inside a fake internet: DNS on port 53, mail on 25, 465, 587, 143...

    It sees real names, public addresses and nothing outside of them. Its exit status is ours.
    """
    from fakemail.api.config import load
    from fakemail.errors import NamespaceUnavailable
    from fakemail.sandbox import run
    from fakemail.sandbox.default_world import default_world

    with _told_to_people():
        try:
            status = run.run(
                default_world() if config is None else load(_path(config)),
                command,
                seed=seed,
                expose=expose,
                publish=publish,
                tell=run.say_aside if journeys else None,
            )
        except NamespaceUnavailable as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            _fail_as_shell(error)
    context.exit(status)


def _fail_as_shell(error: OSError) -> NoReturn:
    """POSIX, 2.8.2: 127 for a command that is not there, 126 for one that cannot be run."""
    click.echo(f"Error: {error.filename}: {error.strerror}.", err=True)
    raise click.exceptions.Exit(127 if isinstance(error, FileNotFoundError) else 126)


@main.command(
    short_help="Submit a message, as the command sendmail does.",
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    },
)
@click.option("--server", metavar="HOST:PORT", help="Where to submit, on this machine.")
@click.option("--user", metavar="NAME", help="Log in there, after STARTTLS.")
@click.option("--password", metavar="TEXT", default="", help="The password for that.")
@click.option("--ca-file", metavar="FILE", help="The authority of its certificate.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-t] [-i] [-f SENDER] [RECIPIENT]...")
@click.pass_context
def sendmail(
    context: click.Context,
    server: str | None,
    user: str | None,
    password: str,
    ca_file: str | None,
    words: tuple[str, ...],
) -> None:
    """Submit the message on standard input, with the options and exit codes of the command sendmail.

    It goes where FAKEMAIL_SUBMISSION_HOST, _PORT, _USER and _PASS say, as 'fakemail up --env-file' writes them; without
    them to 127.0.0.1:1587, where 'fakemail up' listens. Never to another machine.
    """
    from fakemail.sandbox import submit

    with _told_to_people():
        context.exit(submit.submit(words, server=server, user=user, password=password, ca_file=ca_file))


@main.command(short_help="Print what a configuration declares, or its mistakes.")
@click.argument("config", metavar="FILE")
def check(config: str) -> None:
    """Read a configuration, and print what it would declare, or all of its mistakes."""
    from fakemail.api.config import load
    from fakemail.sandbox.check import report

    with _told_to_people():
        _say(report(load(_path(config))))
