"""Runs mutmut so that the time of a mutant ends that mutant, and nothing else.

mutmut signals the number that a mutant's process had, long after most of them have ended: by then
it may be another program's, such as a database server's. A handle of the process cannot be.
"""

import contextlib
import os
import signal
import threading

from mutmut.__main__ import cli
from mutmut.workers import isolation


def end_later(pid: int, timeout_s: float) -> None:
    """Stand in for mutmut's `register_timeout`, and mean no process that comes later."""
    timer = threading.Timer(timeout_s, _end, [os.pidfd_open(pid)])
    timer.daemon = True
    timer.start()


def _end(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGXCPU)
    os.close(process)


# Linux alone has handles of processes.
if hasattr(os, "pidfd_open"):
    isolation.register_timeout = end_later

if __name__ == "__main__":
    cli()
