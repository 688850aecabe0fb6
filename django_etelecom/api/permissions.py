"""Who may do what: the rights of the app, as the admin asks for them."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

SEND = "etelecom.send_message"
RESEND = "etelecom.resend_message"
VIEW = "etelecom.view_messagelog"
VIEW_TEMPLATES = "etelecom.view_messagetemplate"
VIEW_ROUTES = "etelecom.view_routerule"
VIEW_CAMPAIGNS = "etelecom.view_campaign"
SEND_CAMPAIGNS = "etelecom.send_campaign"


def method_of(request: Any) -> str:
    """Return a request's method; what answers to GET answers to HEAD."""
    return "GET" if request.method == "HEAD" else str(request.method)


class HasRights(BasePermission):
    """Lets in whoever has all the rights that the view names for the method.

    A method that the view does not have is let in by nobody's right: it is answered with 405. One
    that it has and names no rights for lets nobody in.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        method = method_of(request)
        if method not in view.allowed_methods:
            return True
        rights = view.rights.get(method)
        # Sites may have nobody as None.
        return bool(rights and request.user) and request.user.has_perms(rights)


class MayFollowCampaigns(HasRights):
    """Lets in also whoever may send campaigns, as the admin does."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if super().has_permission(request, view):
            return True
        return bool(request.user and request.user.has_perm(SEND_CAMPAIGNS))


def sees_numbers(request: Any) -> bool:
    """Whether the user of a request may see whole phone numbers; others see them masked."""
    return bool(request.user.has_perm("etelecom.view_recipient"))
