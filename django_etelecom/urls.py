"""What eTelecom calls: `path("etelecom/", include("django_etelecom.urls"))`."""

from django.urls import path

from .webhooks import webhook

app_name = "etelecom"

urlpatterns = [
    path("webhooks/<str:token>/", webhook, name="webhook"),
    # As it may have been registered. A path that no pattern takes would be logged, token and all.
    path("webhooks/<str:token>", webhook),
]
