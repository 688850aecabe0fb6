"""Shows that the promise holds under kill, fault, fuzz and race: `python -m proof`.

Each check has real processes send over real sockets to the app's simulator, on a real database, and
does its worst to them. What became of it is judged by two witnesses alone: the receipts of the
simulator, and the rows of the database.
"""
