"""The admin, and beside it one that shows messages as an app does that takes no thought."""

from django.contrib import admin
from django.urls import path

from django_etelecom.models import MessageLog


class PlainMessages(admin.ModelAdmin):
    change_list_template = "admin/change_list.html"
    change_form_template = "admin/change_form.html"
    list_display = (
        "recipient",
        "status",
        "template_code",
        "created_at",
        "sent_by",
        "provider_message_id",
    )
    list_filter = ("status", "template")
    list_select_related = ("sent_by",)
    search_fields = ("recipient", "provider_message_id")
    date_hierarchy = "created_at"
    # A choice of every message there is would not end.
    raw_id_fields = ("resend_of",)


plain = admin.AdminSite(name="plain")
plain.register(MessageLog, PlainMessages)

urlpatterns = [path("admin/", admin.site.urls), path("plain/", plain.urls)]
