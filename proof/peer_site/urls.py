from django.urls import path

from . import views

urlpatterns = [
    path("by-the-app/", views.by_the_app),
    path("saving-after/", views.saving_after),
    path("saving-before/", views.saving_before),
]
