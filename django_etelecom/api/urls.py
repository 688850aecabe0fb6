"""The addresses of the API: `path("api/", include("django_etelecom.api.urls"))`."""

from django.urls import path

from . import messages

app_name = "etelecom_api"

urlpatterns = [
    path("messages/check/", messages.CheckView.as_view(), name="message_check"),
]
