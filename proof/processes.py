"""Real processes, forked from one that has loaded the site and has done nothing else."""

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

PATIENCE = 60.0
"""Seconds after which something that has to happen counts as never happening."""

LOADED = [
    "proof.roles",
    # What each would load by itself: it executes `proof.job` once more.
    "django_etelecom.simulator",
    "proof.proxy",
    "proof.results",
    "django_etelecom.backends.bulk",
    "django_etelecom.client.curl",
    "encodings.idna",
    "phonenumbers.data.region_VN",
]

_asking = threading.Lock()
"""How a process has ended can be read once. To start another asks about all, in any thread."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LOADED)


def preload(*modules: str) -> None:
    """Have the process that others are forked from load these too; before the first is forked."""
    _context.set_forkserver_preload([*LOADED, *modules])


class Victim:
    """A process of the site. It is held until `go`, so that its death can be prepared."""

    def __init__(self, role: Callable[..., object], *arguments: object) -> None:
        self._door, theirs = _context.Pipe()
        self._process: BaseProcess = _context.Process(
            target=_begin, args=(theirs, role, arguments), daemon=True
        )
        with _asking:
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def go(self) -> None:
        self._door.send(True)

    def kill(self) -> None:
        """Kill it with SIGKILL, if it still runs."""
        self._process.kill()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def carry_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def runs(self) -> bool:
        return not self.dies_within(0.0)

    def dies_within(self, seconds: float) -> bool:
        if not wait([self._process.sentinel], seconds):
            return False
        with _asking:
            self._process.join()
        return True

    def wait(self, seconds: float = PATIENCE) -> bool:
        """Wait for its end; tell whether it was killed.

        Raises:
            RuntimeError: it did not end in time, or by a fault of its own.
        """
        if not self.dies_within(seconds):
            self._process.kill()
            self.dies_within(PATIENCE)
            raise RuntimeError(f"A process did not end in {seconds} seconds.")
        self._door.close()
        code = self._process.exitcode
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"A process ended with {code}.")
        return code == -signal.SIGKILL


def _begin(door: Connection, role: Callable[..., object], arguments: tuple) -> None:
    # What was loaded before has no garbage: to look at all of it takes longer than most roles.
    gc.freeze()
    door.recv()
    role(*arguments)


def run(role: Callable[..., object], *arguments: object, seconds: float = PATIENCE) -> None:
    """Run a role to its end, which nobody hinders.

    Raises:
        RuntimeError: as `Victim.wait`, or it was killed.
    """
    one = Victim(role, *arguments)
    one.go()
    if one.wait(seconds):
        raise RuntimeError("A process was killed by somebody else.")


def wait_until(is_so: Callable[[], bool], *, what: str, seconds: float = PATIENCE) -> None:
    """Wait for something.

    Raises:
        RuntimeError: it did not come in time.
    """
    ends_at = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{what} took more than {seconds} seconds.")
        time.sleep(0.01)
