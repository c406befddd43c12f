"""A capture as the user sees it, and the passes over its inputs that its tables come from."""

from dnscap.reading.capture import Capture, read

__all__ = ["Capture", "read"]
