"""A site that sends as other packages and other code do, beside the app: what `peers.py` kills."""
