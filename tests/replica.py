"""A site whose readers go to a replica that lags behind."""

from django.db.models import Model


class OnReplica:
    """A router that sends readers of some models to a replica, which is not even there yet."""

    def __init__(self, *models: type[Model]) -> None:
        self.models = models

    def db_for_read(self, model, **hints):
        return "replica" if model in self.models else None

    def allow_relation(self, *rows, **hints):
        return True
