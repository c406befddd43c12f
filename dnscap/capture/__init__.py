"""Opens captures (files, folders, patterns, pipes, memory) and gives their octets out in windows.

This stage takes off compression and puts rotated files in order. Of the capture formats it knows only how to
recognise them and where the first time stamp stands; the native decoder reads the rest.
"""

from dnscap.capture.compression import recognise
from dnscap.capture.content import Content, describe, sniff
from dnscap.capture.inputs import CaptureInput, expand_inputs
from dnscap.capture.rotation import first_time
from dnscap.capture.windows import MemoryWindows, StreamWindows, Windows

__all__ = [
    "CaptureInput",
    "Content",
    "MemoryWindows",
    "StreamWindows",
    "Windows",
    "describe",
    "expand_inputs",
    "first_time",
    "recognise",
    "sniff",
]
