"""URLs of the site that `webhook_throughput.py` measures."""

from django.urls import include, path

urlpatterns = [
    path("etelecom/", include("django_etelecom.urls")),
    path("anymail/", include("anymail.urls")),
]
