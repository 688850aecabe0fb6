"""The addresses of the API: `path("api/", include("django_etelecom.api.urls"))`."""

from django.apps import apps
from django.urls import path

from . import campaigns, messages, routes, templates

if apps.is_installed("drf_spectacular"):
    # It finds what is said of the views once this has been imported.
    from . import openapi  # noqa: F401

app_name = "etelecom_api"

urlpatterns = [
    path("messages/", messages.MessagesView.as_view(), name="messages"),
    path("messages/check/", messages.CheckView.as_view(), name="message_check"),
    # Not `<uuid:…>`: what is no id is answered in JSON too.
    path("messages/<str:public_id>/", messages.MessageView.as_view(), name="message"),
    path("messages/<str:public_id>/refresh/", messages.RefreshView.as_view(), name="refresh"),
    path("messages/<str:public_id>/resend/", messages.ResendView.as_view(), name="resend"),
    path("messages/<str:public_id>/cancel/", messages.CancelView.as_view(), name="cancel"),
    path("templates/", templates.TemplatesView.as_view(), name="templates"),
    # Codes and names may hold whatever the provider and people put into them.
    path("templates/<path:code>/", templates.TemplateView.as_view(), name="template"),
    path("routes/", routes.RoutesView.as_view(), name="routes"),
    path("routes/<path:name>/", routes.RouteView.as_view(), name="route"),
    path("campaigns/", campaigns.CampaignsView.as_view(), name="campaigns"),
    path("campaigns/<str:public_id>/", campaigns.CampaignView.as_view(), name="campaign"),
    path(
        "campaigns/<str:public_id>/rows/",
        campaigns.CampaignRowsView.as_view(),
        name="campaign_rows",
    ),
    path(
        "campaigns/<str:public_id>/pause/",
        campaigns.PauseView.as_view(),
        name="campaign_pause",
    ),
    path(
        "campaigns/<str:public_id>/resume/",
        campaigns.ResumeView.as_view(),
        name="campaign_resume",
    ),
    path(
        "campaigns/<str:public_id>/cancel/",
        campaigns.CancelView.as_view(),
        name="campaign_cancel",
    ),
    path(
        "campaigns/<str:public_id>/retry/",
        campaigns.RetryView.as_view(),
        name="campaign_retry",
    ),
]
