"""What comes by another thread or process, waited for with an end."""

import time


def wait_until(is_so, *, what="what is waited for", seconds=10):
    """Wait for something; it fails the test where it does not come in time."""
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, f"{what} took more than {seconds} seconds"
        time.sleep(0.01)
