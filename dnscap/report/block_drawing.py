"""The course of a name and the walk of a resolver as SVG: shapes and letters tell what colours do."""

from __future__ import annotations

from markupsafe import Markup

from dnscap.explain.drawing import share_bar
from dnscap.explain.waterfall import GOOD, LOST, NEGATIVE, style_of
from dnscap.output.cells import duration, safe
from dnscap.report.block_forms import Block, Lane, Mark, NameCourse, Stretch
from dnscap.report.block_words import KINDS, hop_outcome, hop_place, lane_words, letter
from dnscap.resolutions.walk import Walk

BAR_TOP, BAR = 18, 12
"""Where the bar of a lane begins, below its label, and its height."""

MARKS = 13
"""Room below the bar for marks, in lanes that have them."""

TONES = 4
"""Values that have a tone of their own; letters tell them all apart."""

SHAPES = {
    "hit": '<circle r="4" class="mark"/>',
    "negative-hit": '<circle r="3.5" class="mark-open"/>',
    "miss": '<path d="M-5 -4H5L0 5z" class="mark"/>',
    "coalesced": '<path d="M-4.5 -3.5H4.5L0 4.5z" class="mark-open"/>',
    "forwarded": '<path d="M-4 -5V5L5 0z" class="mark"/>',
    "prefetch": '<rect x="-4" y="-4" width="8" height="8" class="mark"/>',
    "stale": '<path d="M-5 4.5H5L0 -5z" class="mark-bad"/>',
    "unknown": '<circle r="2" class="mark"/>',
    "failure": '<path d="M-4 -4L4 4M-4 4L4 -4" class="mark-cross"/>',
}
"""A shape for each kind of mark, around its middle."""


def course_svg(course: NameCourse) -> Markup:
    """One lane a server, below it the time since the beginning."""
    span = course.end - course.start
    heights = [BAR_TOP + BAR + 6 + (MARKS if lane.marks else 0) for lane in course.lanes]
    lanes = Markup("").join(
        Markup('<svg y="{}" width="100%" height="{}">{}</svg>').format(
            sum(heights[:place]), heights[place], _lane(course, lane)
        )
        for place, lane in enumerate(course.lanes)
    )
    height = sum(heights)
    axis = Markup(
        '<line x1="0" x2="100%" y1="{y}" y2="{y}" class="base"/><text x="0" y="{t}">0 s</text>'
        '<text x="50%" y="{t}" text-anchor="middle">{middle}</text>'
        '<text x="100%" y="{t}" text-anchor="end">{last}</text>'
    ).format(y=height + 2, t=height + 16, middle=duration(span // 2), last=duration(span))
    words = "; ".join(f"{lane.server}: {lane_words(course, lane)}" for lane in course.lanes)
    return Markup('<svg width="100%" height="{}" role="img" aria-label="{}">{}{}</svg>').format(
        height + 20, safe(f"{course.name} {course.type}. {words}"), lanes, axis
    )


def _lane(course: NameCourse, lane: Lane) -> Markup:
    label = f"{lane.server} {lane.role}" + (", inferred" if lane.inferred and lane.marks else "")
    parts = [Markup('<text x="0" y="13">{}</text>').format(safe(label))]
    parts += [_stretch(course, stretch) for stretch in lane.stretches if not stretch.given]
    parts += [_stretch(course, stretch) for stretch in lane.stretches if stretch.given]
    parts += [_mark(course, mark) for mark in lane.marks]
    return Markup("").join(parts)


def _place(course: NameCourse, time: int) -> float:
    return 100 * min(max(time - course.start, 0), course.end - course.start) / (course.end - course.start)


def _stretch(course: NameCourse, stretch: Stretch) -> Markup:
    left, right = _place(course, stretch.first), _place(course, stretch.last)
    width = max(right - left, 0.6)
    left = min(left, 100 - width)
    tone = "none" if stretch.value is None else str(min(stretch.value, TONES))
    drawn = Markup('<rect x="{:.2f}%" y="{}" width="{:.2f}%" height="{}" class="value-{}{}"/>').format(
        left, BAR_TOP, width, BAR, tone, "" if stretch.given else " held"
    )
    if stretch.value is None or width < 4:
        return drawn
    return drawn + Markup('<text x="{:.2f}%" y="{}" class="{}" dx="5">{}</text>').format(
        left, BAR_TOP + 10, "on-bar" if stretch.given else "on-held", letter(stretch.value)
    )


def _mark(course: NameCourse, mark: Mark) -> Markup:
    title = KINDS[mark.kind] + (f", {mark.count} questions" if mark.count > 1 else "")
    return Markup('<svg x="{:.2f}%" y="{}"><title>{}</title>{}</svg>').format(
        _place(course, mark.time), BAR_TOP + BAR + 8, title, Markup(SHAPES[mark.kind])
    )


def key_of(block: Block) -> list[tuple[Markup, str]]:
    """The shapes that the courses of a block use, and what each says."""
    lanes = [lane for course in block.names for lane in course.lanes]
    kinds = {mark.kind for lane in lanes for mark in lane.marks}
    found = [
        (
            Markup('<svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">{}</svg>').format(
                Markup(shape)
            ),
            KINDS[kind],
        )
        for kind, shape in SHAPES.items()
        if kind in kinds
    ]  # shapes are our own
    stretches = [stretch for lane in lanes for stretch in lane.stretches]
    for used, style, words in (
        (
            any(s.given and s.value is not None for s in stretches),
            "value-0",
            "given from the first to the last answer seen",
        ),
        (
            any(not s.given and s.value is not None for s in stretches),
            "value-0 held",
            "may be kept for so long",
        ),
        (any(s.value is None for s in stretches), "value-none", "said not to exist"),
    ):
        if used:
            box = Markup(
                '<svg width="22" height="14" aria-hidden="true">'
                '<rect x="1" y="1" width="20" height="12" class="{}"/></svg>'
            )
            found.append((box.format(style), words))
    return found


def hop_rows(walk: Walk) -> Markup:
    """Rows of a table: what was sent upstream, and the part of the wait that each had."""
    wait = int(walk.resolution["latency"]) or 1
    body = [
        Markup(
            '<tr><td class="number">{}</td><td>{}</td><td class="list">{} {}</td><td>{} {}</td>'
            '<td class="number">{}</td><td class="bar">{}</td></tr>'
        ).format(
            hop_place(hop),
            safe(hop.server),
            safe(hop.qname),
            safe(hop.qtype),
            _sign(hop.outcome),
            hop_outcome(hop),
            duration(hop.charged),
            share_bar(hop.charged, wait, "good" if hop.outcome == "referral" else style_of(hop.outcome)),
        )
        for hop in walk.hops
    ]
    body.append(
        Markup(
            '<tr><td></td><td>the resolver itself</td><td></td><td></td><td class="number">{}</td>'
            '<td class="bar">{}</td></tr>'
        ).format(duration(walk.own), share_bar(walk.own, wait, "plain"))
    )
    return Markup("").join(body)


def _sign(outcome: str) -> str:
    if outcome == "referral":
        return "→"
    return "?" if outcome in LOST else "●" if outcome in GOOD else "○" if outcome in NEGATIVE else "×"
