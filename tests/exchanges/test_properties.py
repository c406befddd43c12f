"""What holds for any traffic: each message has its place, and batches leave no trace."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchanges.traffic import Traffic, query, response, rows_cut, rows_of
from tests.sampling import examples

NAMES = ["a.example", "b.example"]


@st.composite
def traffics(draw):
    """Queries, answers, errors and connections over few ports and with few ids, so that they collide."""
    traffic = Traffic()
    time = 1.0
    opened = set()
    for _ in range(draw(st.integers(1, 40))):
        time += draw(st.sampled_from([0.0, 0.0004, 0.002, 0.3, 5.1, 31.0]))
        q = query(draw(st.sampled_from(NAMES)), id=draw(st.integers(1, 2)))
        port = draw(st.integers(50000, 50001))
        match draw(
            st.sampled_from(["query", "query", "response", "response", "header", "icmp", "tcp", "end"])
        ):
            case "query":
                traffic.send(time, q, port=port)
            case "response":
                traffic.send(time, response(q), port=port)
            case "header":
                traffic.send(time, q.to_wire()[:2] + bytes([0x81, 0x82]) + bytes(8), port=port)
            case "icmp":
                back = draw(st.booleans())
                traffic.icmp(time, response(q) if back else q, src="192.0.2.10", dst="192.0.2.53", port=port)
            case "tcp":
                if port not in opened:
                    traffic.open(time, port=port, rtt=0)
                    opened.add(port)
                back = draw(st.booleans())
                traffic.tcp(time, "PA", response(q) if back else q, back=back, port=port)
            case "end":
                if port in opened:
                    traffic.tcp(
                        time, draw(st.sampled_from(["RA", "FA"])), back=draw(st.booleans()), port=port
                    )
    return traffic


@settings(max_examples=examples(60))
@given(traffics())
def test_batches_leave_no_trace(traffic):
    octets = traffic.octets()
    whole = rows_of(octets)
    for cut in (1, 7):
        assert rows_cut(octets, cut) == whole


@settings(max_examples=examples(60))
@given(traffics())
def test_each_message_has_its_place(traffic):
    from dnscap.reading import Capture

    octets = traffic.octets()
    messages = Capture(octets).to_arrow("messages").to_pylist()
    rows = rows_of(octets)
    counted = [m for m in messages if m["sighting_of"] is None]
    queries = [row["query"] for row in rows if row["query"] is not None]
    responses = [row["response"] for row in rows if row["response"] is not None]
    assert sorted(queries) == [m["message"] for m in counted if not m["qr"]]
    assert sorted(responses) == [m["message"] for m in counted if m["qr"]]
    assert [row["exchange"] for row in rows] == list(range(len(rows)))
    for row in rows:
        assert (row["query"] is None) == (row["outcome"] in ("unsolicited", "duplicate"))
        assert (row["response"] is None) == (row["outcome"] in ("unanswered", "unfinished", "unreachable"))
        if row["query"] is not None and row["response"] is not None:
            assert (row["latency"] is None) == row["ambiguous"]
            assert (row["latency_min"] is None) == (row["latency"] is not None)
        else:
            assert row["latency"] is None
