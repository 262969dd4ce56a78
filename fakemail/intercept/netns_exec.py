"""Steps into namespaces and becomes a command: run as a script, with the standard library only.

The command keeps this process, and with it the standard streams, the working directory, the environment, the
signals and the exit status that the caller arranged. What keeps it from starting is written to a pipe as an
error number.

Not to be imported: ``python -I -S netns_exec.py ERRORS NAMESPACE,NAMESPACE... KEEP PROGRAM ARGUMENT0 ARGUMENT...``.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings  # noqa: F401 - os.execvp imports it, at a moment when this interpreter's files may be out of reach


def enter(descriptor: int) -> None:
    """Step into one namespace."""
    if hasattr(os, "setns"):  # since Python 3.12
        os.setns(descriptor)
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def undo_python(keep: str) -> None:
    """Take back what the start of this interpreter did to the process, for the command shall not see it."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if keep == "no-locale":
        os.environ.pop("LC_CTYPE", None)  # PEP 538: it may have been set in an environment without it


def main(errors: int, namespaces: list[int], keep: str, program: str, arguments: list[str]) -> None:
    """Step in, and become the command."""
    # An executable that is given by a path is looked for where the caller is.
    place = os.getcwd()
    os.set_inheritable(errors, False)
    undo_python(keep)
    what = "command"
    try:
        for descriptor in namespaces:
            enter(descriptor)
            os.close(descriptor)
        # A new set of mounts begins at its own root.
        what = "directory"
        os.chdir(place)
        what = "command"
        os.execvp(program, arguments)
    except OSError as error:
        os.write(errors, f"{error.errno} {what}".encode())
        os._exit(127)


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        [int(each) for each in sys.argv[2].split(",")],
        sys.argv[3],
        sys.argv[4],
        sys.argv[5:],
    )
