"""Which process holds a lease, so that whoever looks on the same machine need not wait for the lease of one that was killed."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """This process as a lease names it: host:pid for people, then its namespace and start where the system tells them."""
    pid = os.getpid()
    return " ".join(part for part in (f"{socket.gethostname()}:{pid}", _life(pid)) if part)


def is_gone(holder: str) -> bool:
    """Whether a process of this machine, as a lease names it, has ended. False where that cannot be known."""
    name, _, life = holder.partition(" ")
    host, _, pid = name.rpartition(":")
    here = host == socket.gethostname() and life.partition("/")[0] == _life(os.getpid()).partition("/")[0]
    return here and life != "" and pid.isdigit() and _life(int(pid)) != life


def _life(pid: int) -> str:
    """The process namespace and the start of a process: a number may be given again, the two together are not. '' where it has ended."""
    try:
        namespace = Path(f"/proc/{os.getpid()}/ns/pid").readlink().name
        # The name, in brackets, may hold anything; the start is the 20th field after it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{namespace.strip('pid:[]')}/{fields[19]}"
