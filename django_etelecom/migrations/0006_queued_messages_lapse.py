from typing import Any

from django.db import migrations, models


def let_queued_messages_lapse(apps: Any, schema_editor: Any) -> None:
    """A message that waits for a worker lapses when it expires."""
    database = schema_editor.connection.alias
    messages = apps.get_model("etelecom", "MessageLog").objects.using(database)
    waiting = messages.filter(status="queued", lease_expires_at=None).exclude(send_at=None)
    waiting.update(lease_expires_at=models.F("expires_at"))


class Migration(migrations.Migration):

    dependencies = [("etelecom", "0005_campaigns")]

    operations = [migrations.RunPython(let_queued_messages_lapse, migrations.RunPython.noop)]
