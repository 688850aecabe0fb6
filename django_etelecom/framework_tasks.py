"""The task for Django's task framework; Django 5.2 has it as the package django-tasks."""

import django
from django.core.exceptions import ImproperlyConfigured

from .sender import send_now

if django.VERSION >= (6, 0):
    from django.tasks import task
    from django.tasks.backends.dummy import DummyBackend
    from django.tasks.backends.immediate import ImmediateBackend
    from django.tasks.exceptions import InvalidTask
else:
    # The type checker knows the names of the other version alone.
    from django_tasks import task  # type: ignore[no-redef]
    from django_tasks.backends.dummy import DummyBackend  # type: ignore[assignment]
    from django_tasks.backends.immediate import ImmediateBackend  # type: ignore[assignment]
    from django_tasks.exceptions import InvalidTaskError as InvalidTask  # type: ignore[assignment]

try:

    @task
    def send(pks: list[int]) -> None:
        """Send those of the messages that are due and that nobody else has taken on."""
        send_now(pks)

except InvalidTask as error:
    raise ImproperlyConfigured(f"TASKS['default'] does not take messages: {error}") from error


def enqueue(pks: list[int]) -> None:
    """Hand one task to the backend called `default`.

    Raises:
        ImproperlyConfigured: TASKS cannot be used.
        Exception: the backend's own, which took nothing.
    """
    send.enqueue(pks)


def fault_of_backend() -> str:
    """Tell in a sentence why no other process runs what is enqueued; "": one may."""
    backend = send.get_backend()
    if isinstance(backend, ImmediateBackend):
        return "sends in the process that queued the message, which waits for the answer."
    if isinstance(backend, DummyBackend):
        return "runs no task: only etelecom_worker sends."
    return ""
