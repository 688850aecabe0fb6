import copy
import pickle

import pytest

from django_etelecom.client.opaque import Opaque, bare


def test_opaque__reveals_its_value_and_nothing_else_does():
    holder = Opaque("canary")
    assert holder.reveal() == "canary"
    assert "canary" not in f"{holder} {holder!r} {[holder]}"
    assert not hasattr(holder, "__dict__")


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_opaque__stays_in_its_process(leave):
    with pytest.raises(TypeError, match="pickled"):
        leave(Opaque("canary"))


def test_bare__nothing_is_left_behind_the_error():
    try:
        try:
            raise ValueError("canary")
        except ValueError as cause:
            raise KeyError("key") from cause
    except KeyError as error:
        caught = error
    assert bare(caught) is caught
    assert caught.__traceback__ is caught.__cause__ is caught.__context__ is None
