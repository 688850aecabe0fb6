"""eTelecom's gateway on the loopback: a real HTTP server to try, to show and to test with."""

from .outcomes import Outcome
from .server import Receipt, Simulator

__all__ = ["Outcome", "Receipt", "Simulator"]
