"""Why there can be no namespace: each reason is named, with what to do and what else would serve."""

from __future__ import annotations

import errno

import pytest

from fakemail.intercept.netns_diagnostics import NamespaceSupport, this_machine, why

PLAIN = NamespaceSupport("Linux", False, 15000)


@pytest.mark.parametrize(
    ("machine", "step", "number", "wanted"),
    [
        (NamespaceSupport("Darwin", False), "", 0, "a thing of Linux, and this is Darwin"),
        (NamespaceSupport("Windows", False), "", 0, "this is Windows"),
        (NamespaceSupport("Linux", False), "user namespace", errno.EINVAL, "without user namespaces"),
        (PLAIN._replace(most_user_namespaces=0), "user namespace", errno.ENOSPC, "limit of user namespaces"),
        (PLAIN, "user namespace", errno.EUSERS, "user.max_user_namespaces"),
        (PLAIN._replace(clone_allowed=False), "user namespace", errno.EPERM, "unprivileged_userns_clone=1"),
        (PLAIN._replace(apparmor_restricts=True), "user map", errno.EACCES, "AppArmor"),
        (PLAIN._replace(seccomp=True), "user namespace", errno.EPERM, "filter of system calls"),
        (
            NamespaceSupport("Linux", True, 15000, seccomp=True),
            "namespaces",
            errno.EPERM,
            "--cap-add SYS_ADMIN",
        ),
        (PLAIN, "namespaces", errno.EPERM, "refused at the step 'namespaces': Operation not permitted"),
        (PLAIN, "route 192.0.2.0/24", errno.EINVAL, "route 192.0.2.0/24: Invalid argument"),
        (PLAIN, "mount over /etc/resolv.conf", errno.ENOENT, "mount over /etc/resolv.conf: No such file"),
    ],
)
def test_the_reason_is_told(machine, step, number, wanted):
    text = why(machine, step, number)
    assert wanted in text
    assert "mailnet.redirect()" in text


def test_this_machine_is_one():
    machine = this_machine()
    assert machine.system
    assert isinstance(machine.is_root, bool)
