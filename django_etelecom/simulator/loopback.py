"""Which hosts the simulator deals with: those of this machine alone."""

import contextlib
import ipaddress


def loopback(host: str) -> str | None:
    """Return the IPv4 address of the host, or None if it is not on the loopback."""
    if host == "localhost":
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    return None
