"""URLs of the example site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("etelecom/", include("django_etelecom.urls")),
    path("", include("shop.urls")),
]
