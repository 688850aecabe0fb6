"""How `api_cost.py` has a user known and allowed at no cost."""

from django.contrib.auth import get_user_model
from rest_framework.authentication import BaseAuthentication


class UserAtHand(BaseAuthentication):
    """Knows its one user, who may do everything, without asking the database."""

    user = None

    def authenticate(self, request):
        if request.headers.get("Authorization") != "AtHand":
            return None
        if self.user is None:
            type(self).user = get_user_model().objects.create_superuser("at hand")
        return self.user, None
