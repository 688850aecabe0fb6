"""Template messages through eTelecom's OmniMessage gateway; start at `services.py`."""

__version__ = "0.1.0"
