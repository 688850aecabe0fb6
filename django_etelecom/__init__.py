"""Send template messages through eTelecom's OmniMessage gateway; `services.py` is where to start."""

__version__ = "0.1.0"
