"""URLs of the example site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("etelecom/", include("django_etelecom.urls")),
    path("api/", include("django_etelecom.api.urls")),
    # The view that the buttons of the languages post to.
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("shop.urls")),
]
