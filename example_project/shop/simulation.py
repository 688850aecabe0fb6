"""The provider, simulated in this process, so that the example needs no account and no network."""

import contextlib
from collections.abc import Callable, Iterator

from django.conf import settings
from django.test import override_settings

from django_etelecom.simulator import Receipt, Simulator

TIMEOUT_SECONDS = 2


@contextlib.contextmanager
def simulated_provider(
    *, port: int = 0, on_receipt: Callable[[Receipt], object] | None = None
) -> Iterator[Simulator]:
    """Run the simulator and send every message of this process to it, whatever the settings say.

    Args:
        port: 0 takes any free one.
        on_receipt: called with each request as it comes.

    Raises:
        OSError: the port is taken.
    """
    with Simulator(port=port, on_receipt=on_receipt) as simulator:
        account = {
            "USERNAME": "demo",
            "PASSWORD": "demo",
            "BASE_URL": simulator.base_url,
            "TIMEOUT": TIMEOUT_SECONDS,
        }
        with override_settings(ETELECOM={**settings.ETELECOM, "ACCOUNTS": {"default": account}}):
            yield simulator
