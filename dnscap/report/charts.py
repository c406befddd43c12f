"""Charts of a report as SVG: drawn without script, as wide as there is room, told in words as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dnscap.output.cells import clock, day, duration
from dnscap.report.model import Course, Distribution

HEIGHT = 100
_DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: a heading, the drawing, and what it says in words."""

    title: str
    drawing: Markup
    words: str


def course_panels(course: Course) -> list[Panel]:
    """What happened over time, one panel a quantity that is not zero throughout."""
    spans = course.spans
    if not spans:
        return []
    each = f"per {span_words(course.width)}"
    panels = []
    for title, values, style in (
        ("Lookups", [s.lookups for s in spans], "plain"),
        ("Queries", [s.queries for s in spans], "plain"),
        ("Lookups that took over 1 s", [s.slow for s in spans], "negative"),
        ("Lookups that failed", [s.failed for s in spans], "bad"),
        ("Queries without an answer", [s.unanswered for s in spans], "lost"),
    ):
        if any(values):
            words = f"{sum(values):,} in all, at most {max(values):,} {each}"
            panels.append(Panel(f"{title} {each}", _bars(values, style, words), words))
    what = "Time that lookups took" if course.of == "lookups" else "Time that answers took"
    if any(s.p95 for s in spans):
        top = max(s.p95 for s in spans if s.p95 is not None)
        words = f"median (strong) and 95th percentile (pale); the highest is {duration(top)}"
        panels.append(
            Panel(
                f"{what}, logarithmic", _ranges([s.p50 for s in spans], [s.p95 for s in spans], words), words
            )
        )
    return panels


def time_labels(course: Course) -> list[str]:
    """Beginning, middle and end of the time axis."""
    if not course.spans:
        return []
    first, last = course.spans[0].start, course.spans[-1].start + course.width
    days = last - first >= _DAY or day(first) != day(last)
    return [time_label(t, course.width, with_day=days) for t in (first, (first + last) // 2, last)]


def time_label(time: int, width: int, *, with_day: bool) -> str:
    """A time as exact as spans of this width want."""
    told = clock(time)[: 8 if width >= 1_000_000_000 else 11]
    return f"{day(time)} {told}" if with_day else told


def span_words(width: int) -> str:
    """A width of spans in words: ``10 ms``, ``5 s``, ``minute``."""
    for unit, length in (("day", _DAY), ("hour", _DAY // 24), ("minute", 60_000_000_000), ("second", 10**9)):
        if width >= length and width % length == 0:
            count = width // length
            return unit if count == 1 else f"{count:,} {unit}s"
    return f"{width // 1_000_000} ms"


def distribution(found: Distribution, what: str) -> Panel | None:
    """How long things took, on a logarithmic axis; the percentiles marked."""
    if not found.bins:
        return None
    low, high = found.bins[0].low, found.bins[-1].high
    values = [b.count for b in found.bins]

    def place(time: float) -> float:
        return 100 * (math.log(time) - math.log(low)) / (math.log(high) - math.log(low))

    ticks = [
        Markup('<line x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{h}" class="grid"/>').format(
            x=place(t), h=HEIGHT + 4
        )
        + Markup('<text x="{x:.2f}%" y="{y}" text-anchor="{a}">{t}</text>').format(
            x=place(t),
            y=HEIGHT + 17,
            a="start" if place(t) < 6 else "end" if place(t) > 94 else "middle",
            t=round_duration(t),
        )
        for t in _decades(low, high, len(found.bins))
    ]
    words = ", ".join(
        f"{'half' if share == 50 else f'{share} in 100'} within {duration(value)}"
        for share, value in found.percentiles.items()
    )
    drawing = Markup(
        '<svg width="100%" height="{}" role="img" aria-label="{}: {}">{}'
        '<svg y="0" width="100%" height="{}" viewBox="0 0 {} 100" preserveAspectRatio="none">'
        '<path d="{}" class="fill-plain"/></svg></svg>'
    ).format(HEIGHT + 22, what, words, Markup("").join(ticks), HEIGHT, len(values), _path(values))
    return Panel(what, drawing, words)


def round_duration(time: int) -> str:
    """A duration without digits that say nothing: ``10 ms``, not ``10.0 ms``."""
    value, _, unit = duration(time).partition(" ")
    return f"{value.rstrip('0').rstrip('.') if '.' in value else value} {unit}"


def short_count(count: int) -> str:
    """A count in the room beside an axis: ``1,204``, ``36k``."""
    return (
        f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k" if count < 10**6 else f"{count / 1e6:.1f}M"
    )


def _decades(low: int, high: int, bins: int) -> list[int]:
    found = [10**power for power in range(3, 13) if low <= 10**power <= high]
    if len(found) < 2:
        found = sorted({round(low * (high / low) ** (part / 4)) for part in range(5)})
    return found


def _bars(values: Sequence[int], style: str, words: str) -> Markup:
    return Markup(
        '<svg width="100%" height="56" role="img" aria-label="{}">'
        '<svg y="2" width="100%" height="53" viewBox="0 0 {} 100" preserveAspectRatio="none">'
        '<path d="{}" class="fill-{}"/></svg><line x1="0" x2="100%" y1="55" y2="55" class="base"/>'
        '<text x="-6" y="11" text-anchor="end">{}</text></svg>'
    ).format(words, len(values), _path(values), style, short_count(max(values)))


def _path(values: Sequence[int]) -> str:
    """Bars in a box as wide as there are values and 100 high; what is not zero can be seen."""
    top = max(values, default=0) or 1
    return "".join(
        f"M{place}.06 100V{100 - max(100 * value / top, 3):.4g}H{place}.94V100z"
        for place, value in enumerate(values)
        if value
    )


def _ranges(middle: Sequence[int | None], high: Sequence[int | None], words: str) -> Markup:
    """Bars from the bottom to the 95th percentile, and darker ones to the median, on a logarithmic scale."""
    held = [v for v in (*middle, *high) if v]
    low, top = 10 ** math.floor(math.log10(min(held))), max(held)
    low = min(low, top // 10) or 1

    def level(value: int) -> float:
        return 100 - max(100 * math.log(max(value, low) / low) / math.log(top / low), 2)

    paths = [
        "".join(
            f"M{place}.06 100V{level(value):.4g}H{place}.94V100z"
            for place, value in enumerate(values)
            if value is not None
        )
        for values in (high, middle)
    ]
    ticks = Markup("").join(
        Markup('<line x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>').format(
            y=2 + 0.95 * level(t)
        )
        + Markup('<text x="-6" y="{y:.1f}" text-anchor="end">{t}</text>').format(
            y=max(2 + 0.95 * level(t) + 4, 10), t=round_duration(t)
        )
        for t in _decades(low, top, 0)
    )
    return Markup(
        '<svg width="100%" height="98" role="img" aria-label="{}">'
        '<svg y="2" width="100%" height="95" viewBox="0 0 {} 100" preserveAspectRatio="none">'
        '<path d="{}" class="fill-faint"/><path d="{}" class="fill-plain"/></svg>{}'
        '<line x1="0" x2="100%" y1="97" y2="97" class="base"/></svg>'
    ).format(words, len(middle), paths[0], paths[1], ticks)
