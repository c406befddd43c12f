"""What a capture may do: which command grants it, and giving it up once everything is open."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import sys
from dataclasses import dataclass

from dnscap.errors import UsageError

_PR_SET_NO_NEW_PRIVS = 38
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91, "armv7l": 185, "i686": 185, "ppc64le": 184}
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Account:
    """Who a process becomes."""

    name: str
    user: int
    group: int


def hint(interface: str) -> str:
    """Which command grants what capturing needs."""
    python = os.path.realpath(sys.executable)
    command = shutil.which("dnscap") or "dnscap"
    return (
        f"capturing needs a privilege: run `sudo {command} live -i {interface}`, or grant it once with "
        f"`sudo setcap cap_net_raw,cap_net_admin=eip {python}` (every program of that Python has it then)"
    )


def account_for(user: str | None = None) -> Account | None:
    """Whom to become; None where there is nothing to give up.

    Parameters
    ----------
    user : str, optional
        Name or number; ``root`` to stay who one is. Otherwise the user who called sudo, or else ``nobody``.

    Raises
    ------
    UsageError
        If there is no such user.
    """
    if os.geteuid() != 0:
        return None
    if user is not None:
        try:
            entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        except KeyError:
            raise UsageError(f"there is no user {user}") from None
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid) if entry.pw_uid else None
    with contextlib.suppress(KeyError, ValueError):
        number = int(os.environ["SUDO_UID"])
        if number:
            return Account(pwd.getpwuid(number).pw_name, number, int(os.environ["SUDO_GID"]))
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam("nobody")
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return Account("nobody", 65534, 65534)


def give_up(account: Account | None) -> None:
    """Become `account`, for good; without one, give up the capabilities that the process has.

    What is open stays open. Threads that run already follow as far as the C library makes them.
    """
    if account is not None:
        try:
            os.setgroups([])
            os.setresgid(account.group, account.group, account.group)
            os.setresuid(account.user, account.user, account.user)
        except PermissionError:
            return  # root of a container that may not change: there is nothing to give up
    elif os.geteuid() != 0:
        _drop_capabilities()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _drop_capabilities() -> None:
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is None or not sys.platform.startswith("linux"):
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).syscall(number, header, none)
