"""The user who acts, as rows keep one: by primary key."""

from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from .exceptions import InvalidMessage
from .models import MessageLog


def user_pk(field: str, user: object) -> Any:
    """Return the primary key of a user who has been stored; None: nobody is on record.

    Args:
        field: what the user was given as.
        user: of the site's model; None, or a visitor who has not logged in, is nobody.

    Raises:
        InvalidMessage: it is no stored user.
    """
    if user is None or getattr(user, "is_anonymous", False):
        return None
    if not isinstance(user, get_user_model()) or user.pk is None:
        raise InvalidMessage({field: [_("Give a stored user, or nothing.")]})
    return user.pk


def present_user_pk(field: str, user: object) -> Any:
    """Do as `user_pk`, and look whether the user is still there: whoever has one may be late.

    Raises:
        InvalidMessage: it is no stored user, or was deleted.
    """
    pk = user_pk(field, user)
    users = get_user_model()._base_manager.using(MessageLog.database())
    if pk is not None and not users.filter(pk=pk).exists():
        raise InvalidMessage({field: [_("It does not exist any more.")]})
    return pk
