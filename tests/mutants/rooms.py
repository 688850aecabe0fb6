"""The rooms whose mutants have to be noticed, each with the tests that are to notice them."""

TESTS_BY_ROOM = {
    "client/protocol.py": [
        "tests/client/test_answers.py",
        "tests/client/test_reports.py",
        "tests/client/test_requests.py",
    ],
    "guards.py": [
        "tests/test_attention.py",
        "tests/test_begin_campaign.py",
        "tests/test_check_and_resend.py",
        "tests/test_databases.py",
        "tests/test_disclosure.py",
        "tests/test_explanation.py",
        "tests/test_guards.py",
        "tests/test_numbers.py",
        "tests/test_uploads.py",
        "tests/admin/test_campaigns.py",
        "tests/admin/test_send.py",
        "tests/admin/test_uploads.py",
    ],
    "events.py": [
        "tests/test_databases.py",
        "tests/test_delivery.py",
        "tests/test_events.py",
        "tests/test_fold.py",
        "tests/test_queue.py",
        "tests/test_reports.py",
        "tests/test_send.py",
        "tests/test_stripping.py",
        "tests/test_summary.py",
        "tests/test_webhook.py",
    ],
    "delivery.py": [
        "tests/test_databases.py",
        "tests/test_delivery.py",
        "tests/test_error_reporter.py",
        "tests/test_outcomes.py",
        "tests/test_queue.py",
        "tests/test_send.py",
        "tests/test_send_now.py",
        # Last: where an attempt raises, its worker waits for ever.
        "tests/test_bulk.py",
    ],
}
"""By their path in the package. Of these tests a mutant meets those that run its function."""
