"""What stops this process from outside, told apart from what goes wrong in its own work."""

from collections.abc import Callable
from http.client import HTTPException
from typing import TypeVar

from .opaque import bare

T = TypeVar("T")


def comes_from_outside(error: BaseException) -> bool:
    """Tell what stops this process from what goes wrong in its own work.

    Celery's and RQ's time limits are plain exceptions of their own, raised anywhere by a signal.
    """
    if not isinstance(error, Exception):
        return True
    ours = isinstance(error, OSError | ValueError | HTTPException)
    return not ours and type(error).__module__ != "builtins"


def finished(work: Callable[[], T]) -> tuple[T, BaseException | None]:
    """Do work that may be done twice, and return its result and what interrupted it.

    Told to stop in the middle, it begins again, once; the interruption is the caller's to raise.

    Raises:
        BaseException: what the work itself raises, and a second interruption.
    """
    try:
        return work(), None
    except BaseException as error:
        if not comes_from_outside(error):
            raise
        interrupt = bare(error)
    return work(), interrupt
