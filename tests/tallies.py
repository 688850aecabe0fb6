"""The truth that tallies are held against."""

from collections import Counter

from django_etelecom.models import CampaignTally, DayTally, MessageLog, WaitTally
from django_etelecom.models.tallies import UNDER_WAY, Standing


def assert_tallies_are_the_truth():
    """Count the table, and hold every sum of tallies against it."""
    messages = [one for one in MessageLog.objects.all() if one.status not in UNDER_WAY]
    standings = Counter(Standing.of(message)._replace(campaign_id=None) for message in messages)
    sums, paid = Counter(), Counter()
    for row in DayTally.objects.all():
        kind = (row.day, row.account, row.template_code, row.channel, row.network, row.status)
        sums[kind] += row.number
        paid[kind] += row.paid_messages
    truth, truly_paid = Counter(), Counter()
    for standing, number in standings.items():
        truth[standing[1:7]] += number
        truly_paid[standing[1:7]] += number * standing.paid_messages
    assert +sums == truth
    assert -sums == Counter()
    assert +paid == +truly_paid

    of_campaigns = Counter()
    for row in CampaignTally.objects.all():
        of_campaigns[row.campaign_id, row.status] += row.number
    in_campaigns = [one for one in messages if one.campaign_id is not None]
    assert +of_campaigns == Counter((one.campaign_id, one.status) for one in in_campaigns)

    # A message that a test wrote by hand may never have been sent.
    delivered = [one for one in messages if one.status == "delivered" and one.sent_at is not None]
    assert sum(WaitTally.objects.values_list("number", flat=True)) == len(delivered)
