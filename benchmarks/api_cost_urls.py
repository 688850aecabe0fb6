"""The site whose API `api_cost.py` measures."""

from django.urls import include, path

urlpatterns = [path("api/", include("django_etelecom.api.urls"))]
