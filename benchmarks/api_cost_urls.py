"""The site whose API `api_cost.py` measures, and the least view that such a site would write."""

from django.urls import include, path
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from django_etelecom.services import send_message


class MaySend(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("etelecom.send_message")


class LeastView(APIView):
    permission_classes = [MaySend]

    def post(self, request):
        asked = request.data
        message = send_message(
            asked["template"], asked["to"], asked["params"], sent_by=request.user
        )
        return Response({"public_id": message.public_id, "status": message.status}, status=201)


urlpatterns = [
    path("api/", include("django_etelecom.api.urls")),
    path("by-hand/", LeastView.as_view()),
]
