"""A report as JSON: times RFC 3339 in UTC, durations in seconds, what is not known null."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dnscap.report.block_forms import Block, NameCourse
from dnscap.report.block_words import walk_json
from dnscap.report.model import Distribution, Report
from dnscap.report.summary_json import in_seconds, rfc3339
from dnscap.schema import CLIENTS, EXCHANGES, LOOKUPS, SERVERS, Column

_LOOKUP = {column.name: column for column in LOOKUPS}
_EXCHANGE = {column.name: column for column in EXCHANGES}
_SERVER = {column.name: column for column in SERVERS}
_CLIENT = {column.name: column for column in CLIENTS}


def write(report: Report) -> str:
    """The report as one JSON object."""
    return json.dumps(as_json(report), indent=2, ensure_ascii=False)


def as_json(report: Report) -> dict[str, Any]:
    """The object that is written: plain dicts, lists, numbers and texts."""
    return {
        "names": report.names,
        "headline": report.headline,
        "totals": report.totals,
        "first_time": rfc3339(report.first_time),
        "last_time": rfc3339(report.last_time),
        "inputs": [
            {**asdict(i), "first_time": rfc3339(i.first_time), "last_time": rfc3339(i.last_time)}
            for i in report.inputs
        ],
        "lookups": report.lookups,
        "failed": report.failed,
        "slow": report.slow,
        "seconds": report.seconds,
        "longest": in_seconds(report.longest),
        "queries": report.queries,
        "findings": [finding.as_row() for finding in report.findings],
        "remarks": report.remarks,
        "quality": [asdict(note) for note in report.quality],
        "scorecard": [asdict(figure) for figure in report.scorecard],
        "course": {
            "width": in_seconds(report.course.width),
            "of": report.course.of,
            "spans": [
                {
                    **asdict(span),
                    "start": rfc3339(span.start),
                    "p50": in_seconds(span.p50),
                    "p95": in_seconds(span.p95),
                }
                for span in report.course.spans
            ],
        },
        "lookup_times": _distribution(report.lookup_times),
        "query_times": _distribution(report.query_times),
        "lookup_outcomes": report.lookup_outcomes,
        "query_outcomes": report.query_outcomes,
        "causes": [asdict(cause) for cause in report.causes],
        "slowest": [
            {
                "lookup": _row(explanation.lookup, _LOOKUP),
                "exchanges": [_row(row, _EXCHANGE) for row in explanation.exchanges],
            }
            for explanation in report.slowest
        ],
        "servers": {
            "total": report.servers.total,
            "rows": [_row(row, _SERVER) for row in report.servers.rows],
        },
        "clients": {
            "total": report.clients.total,
            "rows": [_row(row, _CLIENT) for row in report.clients.rows],
        },
        "blocks": [_block(block) for block in report.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "id": block.id,
        "title": block.title,
        "text": block.text,
        "tables": [asdict(grid) for grid in block.tables],
        "walks": [walk_json(walk) for walk in block.walks],
        "names": [_course(course) for course in block.names],
    }


def _course(course: NameCourse) -> dict[str, Any]:
    told = {**asdict(course), "start": rfc3339(course.start), "end": rfc3339(course.end)}
    for lane in told["lanes"]:
        for stretch in lane["stretches"]:
            stretch.update(first=rfc3339(stretch["first"]), last=rfc3339(stretch["last"]))
        for mark in lane["marks"]:
            mark["time"] = rfc3339(mark["time"])
    return told


def _distribution(found: Distribution) -> dict[str, Any]:
    return {
        "timed": found.timed,
        "percentiles": {f"p{share}": in_seconds(value) for share, value in found.percentiles.items()},
        "bins": [
            {"low": in_seconds(b.low), "high": in_seconds(b.high), "count": b.count} for b in found.bins
        ],
    }


def _row(row: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, Any]:
    """A row of a table in the form that the table's own JSON has."""
    told: dict[str, Any] = {}
    for name, value in row.items():
        kind = columns[name].kind if name in columns else None
        if kind == "time":
            value = rfc3339(value)
        elif kind == "duration":
            value = in_seconds(value)
        told[name] = value
    return told
