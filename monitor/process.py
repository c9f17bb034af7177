"""Who this process is, and whether the process that holds a lease is surely dead."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path


def user_name() -> str:
    """Who runs this process, for the record of who said what."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"


def identity(pid: int | None = None) -> str:
    """A name for a process that a later process with the same pid does not share.

    Host, boot, pid namespace, pid and start time: in a container the service is always pid 1,
    so the pid alone says nothing.
    """
    number = os.getpid() if pid is None else pid
    return f"{_place()}/{number}/{_start_time(number) or '?'}"


def is_dead(owner: str) -> bool:
    """True only when `owner` ran in this very place and is gone; otherwise its lease decides."""
    place, _, rest = owner.partition("/")
    number, _, started = rest.partition("/")
    if place != _place() or not number.isdecimal() or started in ("", "?"):
        return False
    return _start_time(int(number)) != started


def _place() -> str:
    """Host, boot and pid namespace: only inside the same one can a pid be compared."""
    boot = _read("/proc/sys/kernel/random/boot_id")[:8]
    try:
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        namespace = "?"
    return f"{socket.gethostname()}:{boot}:{namespace}".replace("/", "_")


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat (proc(5)): when the process started, in clock ticks.

    None for one that has ended, also while its parent has not yet asked how (Z).
    """
    stat = _read(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
