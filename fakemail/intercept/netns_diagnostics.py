"""Reasons why this machine allows no network namespace, in words, and what to do. Pure: facts come in."""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple


class NamespaceSupport(NamedTuple):
    """Facts that decide whether there can be a namespace."""

    system: str
    """``Linux``, ``Darwin``, ``Windows``..."""
    is_root: bool
    most_user_namespaces: int | None = None
    """``user.max_user_namespaces``; ``None`` where the kernel has no such thing."""
    apparmor_restricts: bool = False
    """Whether AppArmor keeps ordinary programs from using user namespaces (Ubuntu since 23.10)."""
    seccomp: bool = False
    """Whether a filter of system calls is in force, as in most containers."""
    clone_allowed: bool = True
    """Debian's ``kernel.unprivileged_userns_clone``."""


OTHER_WAYS: Final = (
    "Without a namespace there are: settings (handle.env()), the redirect of this process (mailnet.redirect()), and "
    "real ports on loopback addresses (MailNet(real_ports=True))."
)


def why(machine: NamespaceSupport, step: str = "", number: int = 0) -> str:
    """The reason in a sentence, what to do in another, and which other ways there are."""
    return f"{_reason(machine, step, number)} {OTHER_WAYS}"


def _reason(machine: NamespaceSupport, step: str, number: int) -> str:
    if machine.system != "Linux":
        return (
            f"a namespace is a thing of Linux, and this is {machine.system}; run the test in a Linux container or "
            "a virtual machine."
        )
    if step not in ("user namespace", "user map", "namespaces", "private mounts"):
        return f"the network could not be configured: {step}: {os.strerror(number)}."
    if machine.most_user_namespaces is None and not machine.is_root:
        return "this kernel was built without user namespaces (CONFIG_USER_NS); run as root."
    if not machine.clone_allowed and not machine.is_root:
        return (
            "the system lets only root make user namespaces; an administrator can change that: "
            "'sysctl kernel.unprivileged_userns_clone=1'."
        )
    if number in (errno.ENOSPC, errno.EUSERS) or machine.most_user_namespaces == 0:
        return (
            f"the limit of user namespaces is reached ({machine.most_user_namespaces}); an administrator can raise "
            "it: 'sysctl user.max_user_namespaces=15000'."
        )
    if machine.apparmor_restricts and not machine.is_root:
        return (
            "AppArmor keeps ordinary programs from using user namespaces; an administrator can allow it: "
            "'sysctl kernel.apparmor_restrict_unprivileged_userns=0', or a profile for this Python."
        )
    if machine.seccomp and number in (errno.EPERM, errno.ENOSYS):
        return (
            "a filter of system calls is in force, as in most containers; start the container with "
            "'--security-opt seccomp=unconfined' (Docker, Podman) or with '--cap-add SYS_ADMIN'."
        )
    return f"the system refused at the step {step!r}: {os.strerror(number)}; root may be allowed to do it."


def this_machine() -> NamespaceSupport:
    """The facts of this machine."""
    import platform

    return NamespaceSupport(
        platform.system(),
        hasattr(os, "geteuid") and os.geteuid() == 0,
        _number("/proc/sys/user/max_user_namespaces"),
        _number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1,
        "\nSeccomp:\t2" in _text("/proc/self/status"),
        _number("/proc/sys/kernel/unprivileged_userns_clone") != 0,
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int | None:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None
