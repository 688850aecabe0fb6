import pytest

from django_etelecom.simulator import Simulator


@pytest.fixture
def simulator():
    with Simulator(hang_seconds=0.3, trickle_seconds=0.1) as simulator:
        yield simulator
