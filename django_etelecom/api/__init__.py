"""The REST API: `path("api/", include("django_etelecom.api.urls"))`.

How its rooms hang together: every view is an `ApiView` (`views.py`), which lets in whoever has the
`rights` that the view names for a method (`permissions.py`), counts requests where the site says
how many (`throttles.py`), reads a bounded body of JSON (`parsers.py`) through a serializer
(`serializers.py`), calls one service, and turns what that raises into an answer in the form of the
site's own faults (`faults.py`). Lists go by key, a page at a time (`pagination.py`).

Nothing is decided here that a service could decide: a view reads, asks and shows.
"""
