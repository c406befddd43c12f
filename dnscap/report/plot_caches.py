"""Charts of caches and of the course of a name, for notebooks."""

from __future__ import annotations

from typing import Any

from dnscap.findings.cache_course import CacheCourse
from dnscap.output.cells import safe, shortened
from dnscap.report.block_forms import NameCourse
from dnscap.report.block_words import KINDS, letter, value_words
from dnscap.report.cache_block import VERDICTS

WIDTH = 640
MOST_RESOLVERS = 20

TONES = {
    "hit": "#3a9a55",
    "negative-hit": "#8cc49b",
    "prefetch": "#2f8f8f",
    "stale": "#b7860b",
    "miss": "#4a8fd0",
    "coalesced": "#93bde4",
    "forwarded": "#9a6be0",
    "unknown": "#9a9a9a",
}
VALUES = ("#4a8fd0", "#9a6be0", "#3a9a55", "#b7860b", "#dd5148", "#2f8f8f", "#c26ba6", "#7d8794")
NONE = "#9a9a9a"
SHAPES = {
    "hit": "circle",
    "negative-hit": "diamond",
    "miss": "triangle-down",
    "coalesced": "triangle-left",
    "forwarded": "triangle-right",
    "prefetch": "square",
    "stale": "triangle-up",
    "unknown": "stroke",
    "failure": "cross",
}


def caches(alt: Any, course: CacheCourse) -> Any:
    """Questions of each resolver by where their answers came from."""
    ranked = sorted(course.resolvers.items(), key=lambda item: -item[1].judged - item[1].answered)
    rows = []
    for address, found in ranked[:MOST_RESOLVERS]:
        counted = found.verdicts if found.judged else found.inferred
        label = safe(address) + ("" if found.judged else ", inferred")
        rows += [
            {"resolver": label, "from": head, "place": place, "count": counted[word]}
            for place, (word, head) in enumerate(VERDICTS)
            if counted[word]
        ]
    used = {row["from"] for row in rows}
    shown = [(word, head) for word, head in VERDICTS if head in used]
    heads = [head for _, head in shown]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(height=16)
        .encode(
            y=alt.Y("resolver:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)),
            x=alt.X("count:Q", title="questions of clients"),
            color=alt.Color(
                "from:N",
                title=None,
                sort=heads,
                scale=alt.Scale(domain=heads, range=[TONES[word] for word, _ in shown]),
            ),
            order="place:Q",
            tooltip=["resolver:N", "from:N", "count:Q"],
        )
        .properties(width=WIDTH, height=alt.Step(26), title="Out of the cache, and not")
    )


def name_course(alt: Any, course: NameCourse) -> Any:
    """What each server gave over time, and where single answers came from."""
    labels = [f"{safe(lane.server)} {lane.role}" for lane in course.lanes]
    told = [f"{letter(place)} {shortened(value_words(v), 40)}" for place, v in enumerate(course.values)]
    bars, marks = [], []
    for label, lane in zip(labels, course.lanes, strict=True):
        bars += [
            {
                "lane": label,
                "from": _since(course, stretch.first),
                "to": max(_since(course, stretch.last), _since(course, stretch.first) + _least(course)),
                "value": "no such record"
                if stretch.value is None
                else told[stretch.value]
                if stretch.value < len(told)
                else "other",
                "state": "given" if stretch.given else "may be kept",
            }
            for stretch in lane.stretches
        ]
        marks += [
            {"lane": label, "at": _since(course, mark.time), "answer": KINDS[mark.kind], "count": mark.count}
            for mark in lane.marks
        ]
    y = alt.Y("lane:N", title=None, sort=labels, axis=alt.Axis(labelLimit=260))
    known = [*zip(told, VALUES, strict=False), ("other", VALUES[-1]), ("no such record", NONE)]
    used = {bar["value"] for bar in bars}
    values = [value for value, _ in known if value in used]
    tones = [tone for value, tone in known if value in used]
    drawn = (
        alt.Chart(alt.Data(values=bars))
        .mark_bar(height=12, yOffset=-5)
        .encode(
            y=y,
            x=alt.X("from:Q", title="seconds since the first of it"),
            x2="to:Q",
            color=alt.Color("value:N", title=None, scale=alt.Scale(domain=values, range=tones)),
            opacity=alt.Opacity(
                "state:N",
                title=None,
                scale=alt.Scale(domain=["given", "may be kept"], range=[1, 0.4]),
                legend=alt.Legend(symbolFillColor="#808892"),
            ),
            tooltip=["lane:N", "value:N", "state:N", "from:Q", "to:Q"],
        )
    )
    if marks:
        kinds = [kind for kind in SHAPES if KINDS[kind] in {mark["answer"] for mark in marks}]
        drawn += (
            alt.Chart(alt.Data(values=marks))
            .mark_point(filled=True, size=55, yOffset=9, color="#808892", opacity=1)
            .encode(
                y=y,
                x="at:Q",
                shape=alt.Shape(
                    "answer:N",
                    title=None,
                    scale=alt.Scale(
                        domain=[KINDS[kind] for kind in kinds], range=[SHAPES[kind] for kind in kinds]
                    ),
                ),
                tooltip=["lane:N", "answer:N", "at:Q", "count:Q"],
            )
        )
    title = f"{safe(course.name)} {course.type}"
    return drawn.properties(width=WIDTH, height=alt.Step(40), title=title)


def _since(course: NameCourse, time: int) -> float:
    return (time - course.start) / 1e9


def _least(course: NameCourse) -> float:
    """So wide that it can be seen."""
    return (course.end - course.start) / 1e9 / 250
