"""What people see of one value: safe text, times, durations, numbers."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALES = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def safe(text: str) -> str:
    r"""Return a text with everything escaped that could steer a terminal or mislead the eye.

    Controls are written as RFC 1035 section 5.1 has octets, marks of direction, invisible and
    unassigned characters by their code point.

    Examples
    --------
    >>> safe("www.\x1b[2Jexample.")
    'www.\\027[2Jexample.'
    >>> safe("\u202emoc")
    '\\u{202e}moc'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(point: int) -> str:
    return f"\\{point:03d}" if point < 0x80 else f"\\u{{{point:x}}}"


def width_of(text: str) -> int:
    """Return how many columns of a terminal a safe text takes."""
    if text.isascii():
        return len(text)
    return sum(_width_of_character(c) for c in text)


def _width_of_character(c: str) -> int:
    if unicodedata.category(c) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1


def shortened(text: str, width: int) -> str:
    """Return a text cut in the middle to the width: the ends of a domain name both tell something.

    Examples
    --------
    >>> shortened("a-very-long-name.example.com.", 15)
    'a-very-…le.com.'
    """
    if width_of(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    head = width // 2
    return _beginning(text, head) + "…" + _beginning(text[::-1], width - 1 - head)[::-1]


def _beginning(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    used = 0
    for i, c in enumerate(text):
        used += _width_of_character(c)
        if used > width:
            return text[:i]
    return text


def ticks_of(unit: str) -> int:
    """Return the nanoseconds of an Arrow time unit."""
    return _SCALES[unit]


def day(time: int) -> str:
    """Return the date of a time in nanoseconds since 1970, in UTC."""
    return _moment(time).strftime("%Y-%m-%d")


def clock(time: int) -> str:
    """Return the time of day, to the microsecond.

    Examples
    --------
    >>> clock(1_700_000_000_000_001_999)
    '22:13:20.000001'
    """
    return _moment(time).strftime("%H:%M:%S.%f")


def full_time(time: int) -> str:
    """Return date and time of day."""
    moment = _moment(time)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}Z"


def _moment(time: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=time // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if time > 0 else datetime.min.replace(tzinfo=UTC)


def duration(time: int) -> str:
    """Return a duration in nanoseconds with three digits and the unit that suits it.

    Examples
    --------
    >>> duration(1_234_567), duration(5_004_000_000), duration(123_000_000_000)
    ('1.23 ms', '5.00 s', '2 min 03 s')
    """
    if time < 0:
        return "-" + duration(-time)
    if time == 0:
        return "0 s"
    if time < 1000:
        return f"{time} ns"
    # the bounds lie where rounding would reach the next unit
    if time < 999_500:
        return _three_digits(time / 1e3) + " µs"
    if time < 999_500_000:
        return _three_digits(time / 1e6) + " ms"
    if time < 59_950_000_000:
        return _three_digits(time / 1e9) + " s"
    seconds = (time + 500_000_000) // 1_000_000_000
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = (seconds + 30) // 60
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = (minutes + 30) // 60
    return f"{hours // 24} d {hours % 24:02d} h"


def _three_digits(x: float) -> str:
    return f"{x:.2f}" if x < 9.995 else f"{x:.1f}" if x < 99.95 else f"{x:.0f}"


def tied(text: str) -> str:
    """Numbers and their units with a space between them at which no line ends.

    Examples
    --------
    >>> tied("95 % within 3 ms").split(" ")
    ['95\\xa0%', 'within', '3\\xa0ms']
    """
    return _UNIT.sub("\u00a0", text)


_UNIT = re.compile(r"(?<=[0-9]) (?=(?:%|s|ms|µs|ns|min|h|d)(?![\w-]))")


def number(x: float) -> str:
    """Return a number that is not whole with four digits."""
    return f"{x:.4g}"
