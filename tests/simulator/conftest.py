import pytest

from django_etelecom.simulator import Simulator

from .receiver import receiving


@pytest.fixture
def simulator():
    with Simulator(hang_seconds=0.3, trickle_seconds=0.1) as simulator:
        yield simulator


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def reporting(receiver):
    """A simulator that posts its reports to the receiver."""
    with Simulator(
        webhook_url=receiver.url, report_seconds=0.05, late_report_seconds=0.6
    ) as simulator:
        yield simulator
