"""When an account's queued messages may go: its pause, and its MAX_PER_SECOND."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db import IntegrityError, transaction
from django.db.models import Case, F, When
from django.utils import timezone

from .client.codes import Refusal
from .client.protocol import Outcome, SendResult
from .conf import Account
from .models import AccountState
from .models.clock import DatabaseNow
from .models.messages import Reason
from .signals import account_paused

logger = logging.getLogger("django_etelecom")

PAUSING = {Refusal.CREDENTIALS, Refusal.ADDRESS, Refusal.OUT_OF_MESSAGES}
"""Refusals that the next message would meet as well."""

AHEAD = timedelta(seconds=0.5)
"""How far ahead slots are given away: so long a claimed message waits for its own at most."""


def paused_accounts() -> set[str]:
    """Return the aliases of the accounts whose queued messages wait for a person."""
    states = AccountState.objects.using(AccountState.database()).exclude(paused_at=None)
    return set(states.values_list("alias", flat=True))


def judge(account: Account, results: Sequence[SendResult]) -> bool:
    """Pause an account where its answers say that the next messages would fare no better.

    Args:
        account: whose messages they were.
        results: what has come of some of them, in any order.

    Returns:
        Whether they say so.
    """
    if judge_refusals(account, results):
        return True
    if account.pause_after_unknown is None:
        return False
    states = AccountState.objects.filter(alias=account.alias)
    unknown = sum(result.outcome is Outcome.UNKNOWN for result in results)
    if unknown < len(results):
        states.filter(unknown_in_a_row__gt=0).update(unknown_in_a_row=0)
        return False
    _ensure(account.alias)
    states.update(unknown_in_a_row=F("unknown_in_a_row") + unknown)
    is_long = states.filter(unknown_in_a_row__gte=account.pause_after_unknown).exists()
    if is_long:
        pause(account.alias, Reason.UNKNOWN_RUN)
    return is_long


def judge_refusals(account: Account, results: Sequence[SendResult]) -> bool:
    """Pause an account that its provider refuses; tell whether it does."""
    for result in results:
        if is_refused(result):
            pause(account.alias, Reason(str(result.refusal)))
            return True
    return False


def is_refused(result: SendResult) -> bool:
    """Tell whether the next message of the account would be refused as well."""
    return result.refusal is not None and result.refusal in PAUSING


def pause(alias: str, reason: Reason) -> bool:
    """Have an account's queued messages wait, and tell of it. False: they did already."""
    _ensure(alias)
    paused = AccountState.objects.filter(alias=alias, paused_at=None).update(
        paused_at=timezone.now(), pause_reason=reason
    )
    if paused:
        logger.error("Account '%s' is paused: %s", alias, reason.label)
        transaction.on_commit(
            lambda: account_paused.send_robust(AccountState, account=alias, reason=reason),
            using=AccountState.database(),
            robust=True,
        )
    return bool(paused)


def resume(alias: str) -> bool:
    """Let an account's queued messages go again. False: it was not paused."""
    paused = AccountState.objects.filter(alias=alias).exclude(paused_at=None)
    resumed = paused.update(paused_at=None, pause_reason="", unknown_in_a_row=0)
    if resumed:
        logger.info("Account '%s' goes on.", alias)
    return bool(resumed)


def knows(alias: str) -> bool:
    """Tell whether something was ever held of an account, in the settings still or no longer."""
    return AccountState.objects.filter(alias=alias).exists()


def reserve(account: Account, limit: int) -> list[float]:
    """Take up to `limit` of the account's sending slots, which all workers share.

    Returns:
        For each slot the seconds from now at which a message may start.
    """
    if account.max_per_second is None:
        return [0.0] * limit
    _ensure(account.alias)
    database = AccountState.database()
    gap = timedelta(seconds=1 / account.max_per_second)
    rows = AccountState.objects.using(database).filter(alias=account.alias)
    with transaction.atomic(using=database):
        # The first statement writes, and holds the row until the slots are taken.
        later = When(next_slot_at__gt=DatabaseNow(), then=F("next_slot_at"))
        rows.update(next_slot_at=Case(later, default=DatabaseNow()))
        state = rows.annotate(now=DatabaseNow()).values_list("next_slot_at", "now")
        first, now = cast("tuple[datetime, datetime]", state.get())
        wait = max(first - now, timedelta(0))
        number = min(limit, max(0, (AHEAD - wait) // gap + 1) if wait <= AHEAD else 0)
        rows.update(next_slot_at=first + number * gap)
    return [(wait + position * gap).total_seconds() for position in range(number)]


def _ensure(alias: str) -> None:
    if _exists(alias):
        return
    try:
        with transaction.atomic(using=AccountState.database()):
            AccountState.objects.create(alias=alias)
    except IntegrityError:
        # Another worker has just made it.
        logger.debug("The state of account '%s' is there already.", alias)


def _exists(alias: str) -> bool:
    return AccountState.objects.using(AccountState.database()).filter(alias=alias).exists()
