"""Lookups out of a capture with all that belongs to them, to be explained or saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnscap.clients.kept_rows import plain_rows
from dnscap.errors import UsageError
from dnscap.explain import Explanation
from dnscap.explain.explanation import tried_in_vain
from dnscap.explain.saving import notes_of, save_frames
from dnscap.output.files import check_target, output_stream

if TYPE_CHECKING:
    from dnscap.capture.inputs import CaptureInput
    from dnscap.reading.capture import Capture
    from dnscap.resolutions.walk import Walk


def explanations(
    capture: Capture,
    lookup: int | None = None,
    *,
    name: str | None = None,
    frame: int | None = None,
    limit: int = 3,
) -> list[Explanation]:
    """The lookups that fit, the slowest first, `limit` at most; see `Capture.explain`."""
    if lookup is not None:
        where = f"lookup = {int(lookup)}"
    elif name is not None:
        asked = (name.lower().rstrip(".") + ".").replace("'", "''")
        where = f"name = '{asked}' or list_contains(candidates, '{asked}')"
    elif frame is not None:
        columns = ["lookup"]
        framed = f"(query_frame = {int(frame)} or response_frame = {int(frame)}) and lookup is not null"
        numbers = {
            n
            for part in capture.select("exchanges", columns=columns, where=framed)
            for n in part.column(0).to_pylist()
        }
        if not numbers:
            return []
        where = f"lookup in ({', '.join(map(str, sorted(numbers)))})"
    else:
        raise UsageError("say which lookup: its number, a name or a frame")
    rows = [row for part in capture.select("lookups", where=where) for row in plain_rows(part)]
    rows.sort(key=lambda row: (-(row["duration"] or 0), row["lookup"]))
    rows = rows[:limit]
    if not rows:
        return []
    belong = f"lookup in ({', '.join(str(row['lookup']) for row in rows)})"
    sent = [row for part in capture.select("exchanges", where=belong) for row in plain_rows(part)]
    walks = _walks_of(capture, [e["exchange"] for e in sent])
    return [
        Explanation(
            row,
            own := [e for e in sent if e["lookup"] == row["lookup"]],
            _connections_of(capture, row, set()),
            [walks[e["exchange"]] for e in own if e["exchange"] in walks],
        )
        for row in rows
    ]


def _walks_of(capture: Capture, exchanges: list[int]) -> dict[int, Walk]:
    """Walks of those of these exchanges for which something upstream was asked."""
    if not exchanges:
        return {}
    numbers = ", ".join(map(str, sorted(exchanges)))
    walks = capture.walks(f"exchange in ({numbers}) and len(upstream) > 0")
    return {walk.resolution["exchange"]: walk for walk in walks}


def write_lookup(capture: Capture, inputs: list[CaptureInput], explanation: Explanation, path: str) -> int:
    """Write the frames of a lookup; see `Capture.write_lookup`."""
    check_target(path, capture.inputs)
    wanted = {
        e[which] for e in explanation.exchanges for which in ("query", "response") if e[which] is not None
    }
    if not wanted:
        raise UsageError("this lookup has no messages of its own in the capture")
    numbers = ", ".join(map(str, sorted(wanted)))
    columns = ["message", "frame", "frames", "source", "stream", "src", "dst"]
    where = f"message in ({numbers})"
    messages = {
        row["message"]: row
        for part in capture.select("messages", columns=columns, where=where)
        for row in part.to_pylist()
    }
    connections = _connections_of(
        capture, explanation.lookup, {m["stream"] for m in messages.values()} - {None}
    )
    file_of = dict(enumerate(capture.to_arrow("sources", ["name"]).column("name").to_pylist()))
    files = notes_of(explanation.lookup, explanation.exchanges, messages, connections, file_of)
    title = f"lookup {explanation.lookup['lookup']} of {', '.join(capture.inputs)}"
    with output_stream(path) as stream:
        return save_frames(stream, inputs, files, title)


def _connections_of(
    capture: Capture, lookup: dict[str, Any], streams: set[int | None]
) -> list[dict[str, Any]]:
    """Connections that carried a lookup's messages, and those that it tried in vain."""
    rows = (row for part in capture.select("connections") for row in plain_rows(part))
    return [row for row in rows if row["stream"] in streams or tried_in_vain(row, lookup)]
