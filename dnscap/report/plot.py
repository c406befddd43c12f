"""One-line charts for notebooks, drawn by Altair from what a report holds: aggregates, never all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnscap.errors import UsageError
from dnscap.explain.waterfall import GOOD, LOST, NEGATIVE, WORDS, ends_of
from dnscap.output.cells import safe
from dnscap.report.charts import span_words

if TYPE_CHECKING:
    from dnscap.reading import Capture

WIDTH = 640
MOST_SERVERS = 20

COLOURS = {
    "answered": "#3a9a55",
    "no data": "#b7860b",
    "error": "#dd5148",
    "no answer": "#9a6be0",
    "plain": "#4a8fd0",
}
"""Tones that are told apart on white and on black."""

_TEXT, _GRID = "#808892", "#808080"


class Plot:
    """Charts of a capture; ``capture.plot``.

    Each is an Altair chart, which a notebook shows and which can be changed further.

    Examples
    --------
    >>> import dnscap
    >>> dnscap.read("examples/first-look.pcap").plot.latency()  # doctest: +SKIP
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def latency(self) -> Any:
        """How long lookups and answers took: two histograms on a logarithmic axis."""
        alt = _altair()
        report = self._capture.diagnose(slowest=0)
        rows = [
            {"of": what, "from": b.low / 1e9, "to": b.high / 1e9, "count": b.count}
            for what, found in (("lookups", report.lookup_times), ("answers to queries", report.query_times))
            for b in found.bins
        ]
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_rect(color=COLOURS["plain"])
            .encode(
                x=alt.X(
                    "from:Q",
                    title="time, logarithmic",
                    scale=alt.Scale(type="log"),
                    axis=alt.Axis(labelExpr=_SPAN, values=_DECADES, grid=False),
                ),
                x2="to:Q",
                y=alt.Y("count:Q", title="how many"),
                y2=alt.datum(0),
                tooltip=[alt.Tooltip("from:Q", format="~s"), alt.Tooltip("to:Q", format="~s"), "count:Q"],
            )
            .properties(width=WIDTH, height=110)
            .facet(row=alt.Row("of:N", title=None, sort=["lookups", "answers to queries"]))
            .resolve_scale(y="independent")
            .properties(title="How long it took")
        )
        return _finished(chart)

    def timeline(self) -> Any:
        """Lookups over time, those that were slow or failed, and queries without an answer."""
        alt = _altair()
        course = self._capture.diagnose(slowest=0).course
        kinds = ("queries", "lookups", "slow", "failed", "unanswered")
        shown = [kind for kind in kinds if any(getattr(span, kind) for span in course.spans)]
        labels = {"slow": "lookups over 1 s", "failed": "lookups failed", "unanswered": "queries unanswered"}
        tones = {"slow": "no data", "failed": "error", "unanswered": "no answer"}
        rows = [
            {
                "from": span.start // 1_000_000,
                "to": (span.start + course.width) // 1_000_000,
                "kind": labels.get(kind, kind),
                "count": getattr(span, kind),
            }
            for span in course.spans
            for kind in shown
            if getattr(span, kind)
        ]
        order = [labels.get(kind, kind) for kind in shown]
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_rect()
            .encode(
                x=alt.X("from:T", title="UTC", scale=alt.Scale(type="utc")),
                x2="to:T",
                y=alt.Y("count:Q", title=None, axis=alt.Axis(tickCount=2, format="~s", tickMinStep=1)),
                y2=alt.datum(0),
                color=alt.Color(
                    "kind:N",
                    legend=None,
                    scale=alt.Scale(
                        domain=order, range=[COLOURS[tones.get(kind, "plain")] for kind in shown]
                    ),
                ),
                tooltip=[
                    alt.Tooltip("utcyearmonthdatehoursminutesseconds(from):T", title="from"),
                    "kind:N",
                    "count:Q",
                ],
            )
            .properties(width=WIDTH, height=60)
            .facet(row=alt.Row("kind:N", title=None, sort=order, header=_row_header(alt)))
            .resolve_scale(y="independent")
            .properties(title=f"Per {span_words(course.width)}" if course.width else "Nothing to show")
        )
        return _finished(chart)

    def waterfall(self, lookup: int) -> Any:
        """One lookup: each transmission from when it was sent until it was answered or given up.

        Parameters
        ----------
        lookup : int
            Its number in the lookups table.
        """
        alt = _altair()
        explanation = self._capture.explain(lookup)
        row, sent = explanation.lookup, explanation.sent
        start = row["time"]
        ends = ends_of(sent, start + (row["duration"] or 0))
        rows = [
            {
                "place": place,
                "what": f"{place + 1}. {e['qtype'] or '-'} {e['role'] or '-'} {safe(e['server'])}",
                "name": safe(e["qname"] or "?"),
                "from": (e["time"] - start) / 1e9,
                "to": max((end - start) / 1e9, (e["time"] - start) / 1e9),
                "outcome": WORDS.get(e["outcome"], e["outcome"]),
                "kind": _kind(e["outcome"]),
            }
            for place, (e, end) in enumerate(zip(sent, ends, strict=True))
        ]
        order = [row["what"] for row in rows]
        kinds = ["answered", "no data", "error", "no answer"]
        base = alt.Chart(alt.Data(values=rows)).encode(
            y=alt.Y("what:N", title=None, sort=order, axis=alt.Axis(labelLimit=260)),
            x=alt.X("from:Q", title="seconds since the first question"),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=kinds, range=[COLOURS[kind] for kind in kinds])
            ),
            tooltip=["name:N", "what:N", "outcome:N", "from:Q", "to:Q"],
        )
        bars = base.mark_bar(height=9, minBandSize=3).encode(x2="to:Q")
        ends_drawn = base.mark_point(filled=True, size=45).encode(
            x="to:Q",
            shape=alt.Shape(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=kinds, range=["circle", "diamond", "cross", "triangle-right"]),
            ),
        )
        title = f"{safe(row['name'] or '?')} {' '.join(row['qtypes'] or ())}: {row['outcome']}"
        return _finished((bars + ends_drawn).properties(width=WIDTH, height=alt.Step(22), title=title))

    def servers(self) -> Any:
        """Servers: median and 99th percentile of their latency, and the share of queries left unanswered."""
        alt = _altair()
        found = self._capture.diagnose(slowest=0).servers.rows[:MOST_SERVERS]
        rows = [
            {
                "server": safe(row["server"]),
                "queries": row["queries"],
                "median": None if row["latency_p50"] is None else row["latency_p50"] / 1e9,
                "high": None if row["latency_p99"] is None else row["latency_p99"] / 1e9,
                "silent": (row["unanswered"] + row["unreachable"]) / row["queries"] if row["queries"] else 0,
            }
            for row in found
        ]
        order = [row["server"] for row in rows]
        base = alt.Chart(alt.Data(values=rows)).encode(
            y=alt.Y("server:N", title=None, scale=alt.Scale(domain=order), axis=alt.Axis(labelLimit=260)),
            tooltip=[
                "server:N",
                "queries:Q",
                alt.Tooltip("median:Q", format="~s"),
                alt.Tooltip("high:Q", title="99 % within", format="~s"),
                alt.Tooltip("silent:Q", title="unanswered", format=".1%"),
            ],
        )
        log = alt.Scale(type="log")
        x = alt.X(
            "median:Q",
            title="median (dot) to 99 % (end)",
            scale=log,
            axis=alt.Axis(labelExpr=_SPAN, values=_DECADES),
        )
        times = (
            base.mark_rule(strokeWidth=5, opacity=0.45, color=COLOURS["plain"]).encode(x=x, x2="high:Q")
            + base.mark_point(filled=True, size=70, color=COLOURS["plain"], opacity=1).encode(x=x)
        ).properties(width=WIDTH // 2, height=alt.Step(24), title="Latency")
        silent = (
            base.mark_bar(color=COLOURS["no answer"], height=12)
            .encode(
                x=alt.X(
                    "silent:Q",
                    title="share of queries",
                    scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(format="%"),
                ),
                y=alt.Y("server:N", title=None, scale=alt.Scale(domain=order), axis=None),
            )
            .properties(width=WIDTH // 4, height=alt.Step(24), title="Unanswered")
        )
        return _finished(alt.hconcat(times, silent))

    def caches(self) -> Any:
        """Resolvers: how many questions came out of the cache, and how many waited for something upstream."""
        from dnscap.report.plot_caches import caches

        return _finished(caches(_altair(), self._capture.diagnosis.cache_course))

    def name(self, name: str, type: str = "A") -> Any:
        """A name over time: what each server gave, for how long it may be kept, where answers came from.

        Parameters
        ----------
        name : str
            A domain name.
        type : str
            Of its records.
        """
        from dnscap.report.name_course import course_of
        from dnscap.report.plot_caches import name_course

        diagnosis = self._capture.diagnosis
        course = course_of(diagnosis, self._capture.name_rows, name.lower().rstrip(".") + ".", type.upper())
        if course is None:
            raise UsageError(f"nothing of {safe(name)} {safe(type)} over time in this capture")
        return _finished(name_course(_altair(), course))


def _kind(outcome: str) -> str:
    if outcome in GOOD:
        return "answered"
    if outcome in NEGATIVE:
        return "no data"
    return "no answer" if outcome in LOST else "error"


_DECADES = [10.0**power for power in range(-8, 4)]
"""Places of ticks: a logarithmic axis has far too many of its own."""

_SPAN = (
    "datum.value < 9e-7 ? round(datum.value * 1e9) + ' ns' : datum.value < 9e-4 ? round(datum.value * 1e6) + ' µs' : "
    "datum.value < 0.9 ? round(datum.value * 1e3) + ' ms' : round(datum.value) + ' s'"
)
"""A label of an axis of seconds with the unit that suits it: ``1m`` might be a minute."""


def _row_header(alt: Any) -> Any:
    return alt.Header(labelAngle=0, labelAlign="left", labelLimit=140)


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise UsageError("charts are drawn by Altair: pip install 'dnscap[notebook]'") from None
    return altair


def _finished(chart: Any) -> Any:
    """Colours that can be read on light and on dark, on whatever the notebook has behind."""
    return (
        chart.configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_TEXT,
            titleColor=_TEXT,
            gridColor=_GRID,
            gridOpacity=0.25,
            domainColor=_TEXT,
            tickColor=_TEXT,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor=_TEXT, titleColor=_TEXT)
        .configure_title(color=_TEXT, anchor="start")
        .configure_header(labelColor=_TEXT, titleColor=_TEXT)
    )
