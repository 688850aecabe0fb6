"""What eTelecom calls: `path("etelecom/", include("django_etelecom.urls"))`."""

from django.urls import path, re_path

from .webhooks import webhook

app_name = "etelecom"

urlpatterns = [
    path("webhooks/<str:token>/", webhook, name="webhook"),
    # However it was registered: a path that no pattern takes would be logged, token and all.
    re_path(r"^webhooks/(?P<token>[\s\S]*)", webhook),
]
