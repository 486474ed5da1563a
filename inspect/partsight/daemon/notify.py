"""systemd's notification protocol (sd_notify(3)): one datagram; nothing happens where systemd did not ask."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> bool:
    """Send READY=1, WATCHDOG=1, STOPPING=1 or STATUS=…; False where there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(message.encode())
    except OSError:
        return False
    return True


def watchdog_period_s() -> float | None:
    """How often to feed the watchdog: half of what systemd allows; None without a watchdog for this process."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6
