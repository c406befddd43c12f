"""Caches in a report: how much they answered, what their misses cost, and the slowest of these."""

from __future__ import annotations

import numpy as np

from dnscap.findings.cache_course import MOST_DEPTHS, CacheCourse, ResolverCourse
from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.rule import plural, seconds
from dnscap.output.cells import duration
from dnscap.report.block_forms import Block, Cell, Grid, percent
from dnscap.tables.histogram import percentile

MOST_RESOLVERS = 20
"""Resolvers of a table."""

UNSEEN = "Hits inside applications and their hosts send no packet, so that none of this counts them."

VERDICTS = (
    ("hit", "hits"),
    ("negative-hit", "negative hits"),
    ("prefetch", "prefetches"),
    ("stale", "stale"),
    ("miss", "misses"),
    ("coalesced", "coalesced"),
    ("forwarded", "forwarded"),
    ("unknown", "unknown or unanswered"),
)


def caches(diagnosis: Diagnosis) -> Block | None:
    """What came out of caches, as far as the capture can tell."""
    course = diagnosis.cache_course
    seen = {a: c for a, c in course.resolvers.items() if c.judged}
    alone = {a: c for a, c in course.resolvers.items() if c.answered and not c.judged}
    if not diagnosis.facts.lookups and not seen and not alone:
        return None
    walks = diagnosis.slow_walks.walks()
    said = [_seen_text(course, seen)] if seen else []
    said += [_alone_text(alone, bool(seen))] if alone else []
    if not said:
        said.append(
            "Nothing tells hits from misses: no server that offers recursion answered a client in this capture."
        )
    else:
        said.append(UNSEEN)
    tables = [t.filled() for t in (_seen_table(seen), _depths(course), _alone_table(alone)) if t.rows]
    return Block("caches", "Caches", " ".join(said), tables, walks=walks)


def _seen_text(course: CacheCourse, seen: dict[str, ResolverCourse]) -> str:
    judged = sum(c.judged for c in seen.values())
    hits = sum(c.hits for c in seen.values())
    misses = sum(c.misses for c in seen.values())
    waited = sum(c.waited for c in seen.values())
    who = f"Resolver {next(iter(seen))}" if len(seen) == 1 else f"{plural(len(seen), 'resolver')}"
    text = f"{who} answered {hits:,} of {plural(judged, 'question')} out of the cache ({percent(hits, judged)} %)."
    if not misses:
        return text
    asked = percentile(np.sum([c.asked for c in seen.values()], axis=0), 0.5)
    cached = percentile(np.sum([c.cached for c in seen.values()], axis=0), 0.5)
    if misses == 1:
        text += f" For 1 its client waited {seconds(waited / 1e9)} while something was asked upstream"
    else:
        text += (
            f" For {misses:,} the clients waited {seconds(waited / 1e9)} in all while something was asked upstream, "
            f"half of them longer than {duration(asked or 0)}"
        )
    return text + (f", against {duration(cached)} out of the cache." if cached is not None else ".")


def _alone_text(alone: dict[str, ResolverCourse], both: bool) -> str:
    answered = sum(c.answered for c in alone.values())
    guessed = sum(c.guessed for c in alone.values())
    hits = sum(c.guessed_hits for c in alone.values())
    who = next(iter(alone)) if len(alone) == 1 else plural(len(alone), "resolver")
    text = (
        f"What {who} asked upstream is not in this capture"
        if not both
        else f"What {who} asked upstream is not in the capture"
    )
    text += "; whether an answer came out of a cache is inferred from TTLs that count down and from how fast it came"
    if not guessed:
        return text + f", and for none of {plural(answered, 'answer')} do they tell."
    certainty = sum(c.certainty for c in alone.values()) / guessed
    told = (
        f"{hits:,} most likely came out of the cache ({percent(hits, guessed)} %)"
        if hits
        else "none came out of it"
    )
    return text + (
        f". They tell for {guessed:,} of {plural(answered, 'answer')} ({percent(guessed, answered)} %): of these "
        f"{told}, with a probability of {100 * certainty:.0f} % on average. What misses cost upstream cannot be told "
        "from here."
    )


def _ranked(resolvers: dict[str, ResolverCourse]) -> list[tuple[str, ResolverCourse]]:
    return sorted(resolvers.items(), key=lambda item: (-item[1].judged - item[1].answered, item[0]))


def _seen_table(seen: dict[str, ResolverCourse]) -> Grid:
    shown = _ranked(seen)[:MOST_RESOLVERS]
    used = [(v, head) for v, head in VERDICTS if any(c.verdicts[v] for _, c in shown)]
    rows: list[list[Cell]] = [
        [
            address,
            _percent(c.hits, c.judged),
            *(c.verdicts[word] for word, _ in used),
            _ms(c.cached_median),
            _ms(c.asked_median),
            round(c.waited / 1e6, 3) if c.misses else None,
        ]
        for address, c in shown
    ]
    columns = ["resolver", "from the cache, %", *(head for _, head in used)]
    columns += ["median from the cache, ms", "median otherwise, ms", "waited for upstream, ms"]
    return Grid("Resolvers seen from both sides", columns, rows, _more(len(seen)))


def _alone_table(alone: dict[str, ResolverCourse]) -> Grid:
    shown = _ranked(alone)[:MOST_RESOLVERS]
    rows: list[list[Cell]] = [
        [
            address,
            c.answered,
            _percent(c.guessed, c.answered),
            _percent(c.guessed_hits, c.guessed) if c.guessed else None,
            round(100 * c.certainty / c.guessed) if c.guessed else None,
        ]
        for address, c in shown
    ]
    columns = ["resolver", "answers", "judged, %", "from the cache, % of judged", "mean probability, %"]
    return Grid("Inferred from the clients' side", columns, rows, _more(len(alone)))


def _depths(course: CacheCourse) -> Grid:
    """How far down walks began: what parts of the way the cache saved."""
    shown = [depth for depth in range(MOST_DEPTHS) if course.depths[depth]]
    if not shown:
        return Grid("")
    if course.depths[MOST_DEPTHS]:
        shown.append(MOST_DEPTHS)
    rows: list[list[Cell]] = [
        [_depth_name(depth), int(course.depths[depth]), _ms(course.depth_median(depth))] for depth in shown
    ]
    return Grid(
        "Where the walks of misses began",
        ["zone", "misses", "median, ms"],
        rows,
        "The further down, the more of the way the cache knew already.",
    )


def _depth_name(depth: int) -> str:
    named = {0: "the root", 1: "a top-level domain", 2: "a domain", MOST_DEPTHS: "not shown by the packets"}
    return named.get(depth, f"{depth} labels down")


def _more(count: int) -> str:
    return f"The {MOST_RESOLVERS} most asked of {count:,}." if count > MOST_RESOLVERS else ""


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _ms(value: int | None) -> float | None:
    return None if value is None else float(f"{value / 1e6:.3g}")
