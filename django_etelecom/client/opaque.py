"""What keeps a secret out of reprs, logs, pickles and error reports."""

from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Opaque(Generic[T]):
    """Hold one value so that nothing but `reveal()` shows it.

    An error reporter that walks the local variables of a traceback meets a constant repr and no
    mapping, sequence or `__dict__` to look into; a task queue cannot pickle it by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value. Call it inside the expression that uses it and bind it to no name."""
        return self._value

    def __repr__(self) -> str:
        return "<Opaque>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not to be pickled or copied out of its process.")


def bare(error: BaseException) -> BaseException:
    """Return an error without the frames and errors behind it, which may show a secret."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def shielded(work: Callable[[], T]) -> T:
    """Do work whose frames hold secrets: what it raises leaves without those frames."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001
        failed = bare(error)
    raise failed
