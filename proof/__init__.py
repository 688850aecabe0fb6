"""Shows that the promise holds under kill, fault, fuzz and race: `python -m proof`.

The app sends over real sockets to its simulator, on a real database, while a check does its worst:
to processes of the site, to the network, to the answers, to the order of things. What became of it
is told by two witnesses alone: what reached the provider, and the rows of the database.
"""
