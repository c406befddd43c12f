"""The course of a name for drawing: what each server gave when, and where single answers came from."""

from __future__ import annotations

import numpy as np

from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.moments import Moment
from dnscap.findings.name_rule import SECOND
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE, RECURSIVE
from dnscap.report.block_forms import Lane, Mark, NameCourse, Stretch

MOST_COURSES = 5
MOST_LANES = 6
MOST_STRETCHES = 60
MOST_VALUES = 8
"""Distinct values that are told apart; further ones are one."""

PLACES = 200
"""Moments of a drawing at which marks are told apart: a mark is as wide as a place on a small screen."""

_CNAME = 5
_TELLING = {"stale": 8, "prefetch": 6, "miss": 2, "coalesced": 2, "forwarded": 1, "hit": 1, "negative-hit": 2}


def courses(diagnosis: Diagnosis, seen: NameRows, changed: list[list[int]]) -> list[NameCourse]:
    """Courses of the names that changed, most asked first, then of those that show caches at work.

    Parameters
    ----------
    diagnosis : Diagnosis
        Finished.
    seen : NameRows
        What servers said of names.
    changed : list of list of int
        Rows of names that changed or that servers differ about, by name and type.
    """
    wanted = [(seen.name_of(rows[0]), seen.type_of(rows[0])) for rows in changed[:MOST_COURSES]]
    wanted += [question for question in _at_work(diagnosis) if question not in wanted]
    found = []
    for name, rtype in wanted:
        course = course_of(diagnosis, seen, name, rtype)
        if course is not None:
            found.append(course)
        if len(found) == MOST_COURSES:
            break
    return found


def _at_work(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Questions whose answers came from here and there, the most telling first."""
    ranked = []
    for question, moments in diagnosis.moments.questions().items():
        kinds = {moment.cache for moment in moments} - {"unknown"}
        weight = sum(_TELLING.get(kind, 0) for kind in kinds)
        if len(kinds) > 1 or kinds & {"stale", "prefetch"}:
            ranked.append((-weight, -len(moments), question))
    return [question for *_, question in sorted(ranked)][:MOST_COURSES]


def course_of(diagnosis: Diagnosis, seen: NameRows, name: str, rtype: str) -> NameCourse | None:
    """The course of a name and type; None where the capture shows no stretch of time of it."""
    moments = diagnosis.moments.of(name, rtype)
    rows = _rows_of(seen, name, rtype)
    begins = [moment.time for found in moments.values() for moment in found]
    for row in rows:
        begins += [int(seen.rows[key][row]) for key in ("first", "first_negative") if seen.rows[key][row]]
    if not begins:
        return None
    start, end = min(begins), max(seen.end, *begins)
    if end <= start:
        return None
    values: dict[int, int] = {}
    told: list[list[str]] = []
    for value in sorted((v for row in rows for v in seen.history(row)), key=lambda v: (v.first, v.value)):
        if value.value not in values and len(told) < MOST_VALUES:
            values[value.value] = len(told)
            told.append(list(value.rdata))
    lanes = []
    for row in rows:
        server = seen.server_of(row)
        lanes.append(_lane(seen, row, values, moments.pop(server, []), end))
    for server, rest in moments.items():
        lanes.append(Lane(server, "resolver", [], _marks(rest, start, end), all(m.inferred for m in rest)))
    lanes.sort(key=lambda lane: (lane.role != "authoritative", lane.server))
    for lane in lanes:
        lane.marks = _together(lane.marks, start, end)
    return NameCourse(name, rtype, start, end, told, lanes[:MOST_LANES], max(len(lanes) - MOST_LANES, 0))


def _rows_of(seen: NameRows, name: str, rtype: str) -> list[int]:
    """Rows of a name and type; where an alias answers, of that."""
    code = seen.code_of(name)
    if code is None:
        return []
    at = np.flatnonzero((seen.name == code) & (seen.section == ANSWER)).tolist()
    own = [row for row in at if seen.type_of(row) == rtype]
    return own or [row for row in at if seen.type[row] == _CNAME]


def _lane(seen: NameRows, row: int, values: dict[int, int], moments: list[Moment], end: int) -> Lane:
    fields = seen.rows[row]
    own = bool(fields["flags"] & AUTHORITATIVE)
    role = "authoritative" if own else "resolver" if fields["flags"] & RECURSIVE else "server"
    history = seen.history(row)
    denied = int(fields["first_negative"]), int(fields["last_negative"]), int(fields["negative_until"])
    stretches: list[Stretch] = []
    if moments:
        stretches = _copies(
            moments, [(v.first, v.last, values.get(v.value, MOST_VALUES)) for v in history], denied
        )
    else:
        for value in history:
            place = values.get(value.value, MOST_VALUES)
            stretches.append(Stretch(value.first, value.last, place, True))
            if value.expires > value.last and not own:
                stretches.append(Stretch(value.last, value.expires, place, False))
        if fields["negatives"]:
            stretches.append(Stretch(denied[0], denied[1], None, True))
            if denied[2] > denied[1] and not own:
                stretches.append(Stretch(denied[1], denied[2], None, False))
    for stretch in stretches:
        stretch.last = min(stretch.last, end)
    stretches = [s for s in stretches if s.last >= s.first]
    marks = _marks(moments, 0, end)
    if fields["servfails"] and fields["failed"]:
        marks.append(Mark(int(fields["failed"]), "failure"))
    return Lane(
        seen.server_of(row),
        role,
        stretches[:MOST_STRETCHES],
        marks,
        bool(moments) and all(moment.inferred for moment in moments),
    )


def _copies(
    moments: list[Moment], values: list[tuple[int, int, int]], denied: tuple[int, int, int]
) -> list[Stretch]:
    """For how long what a cache gave may be kept: answers that count down to one moment are of one copy."""
    found: list[Stretch] = []
    for moment in moments:
        if moment.answered is None or moment.ttl is None or moment.cache == "stale":
            continue
        at = moment.answered
        held = [place for first, last, place in values if first <= at <= last]
        if not held and not denied[0] <= at <= denied[1]:
            continue
        value = held[0] if held else None
        until = at + moment.ttl * SECOND
        if found and found[-1].value == value and at <= found[-1].last:
            found[-1].last = max(found[-1].last, until)
        else:
            if found:
                found[-1].last = min(found[-1].last, at) if found[-1].value != value else found[-1].last
            found.append(Stretch(at, until, value, False))
    return found


def _marks(moments: list[Moment], start: int, end: int) -> list[Mark]:
    return [Mark(min(max(moment.time, start), end), moment.cache) for moment in moments]


def _together(marks: list[Mark], start: int, end: int) -> list[Mark]:
    """Marks of one kind that would lie on one another as one."""
    found: dict[tuple[int, str], Mark] = {}
    for mark in sorted(marks, key=lambda mark: mark.time):
        key = (mark.time - start) * PLACES // (end - start), mark.kind
        if key in found:
            found[key].count += mark.count
        else:
            found[key] = mark
    return list(found.values())
