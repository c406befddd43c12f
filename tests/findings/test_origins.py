"""Evidence out of several files names the file of each frame."""

from __future__ import annotations

from pathlib import Path

import dnscap
from tests.exchanges.traffic import Traffic, query, response


def lost(start: float) -> bytes:
    """Lookups each of whose first query is lost."""
    traffic = Traffic()
    for number in range(2):
        message = query(f"h{number}.example.com", id=number)
        traffic.send(start + 10 * number, message, port=40000 + number)
        traffic.send(start + 10 * number + 5, message, port=40000 + number)
        traffic.send(start + 10 * number + 5.01, response(message), port=40000 + number)
    return traffic.octets()


def frames_of(*paths: Path) -> set[str]:
    findings = dnscap.read([str(path) for path in paths]).to_arrow("findings").to_pylist()
    (loss,) = [row for row in findings if row["id"] == "packet-loss"]
    return {entry.removeprefix("frame:") for entry in loss["evidence"] if entry.startswith("frame:")}


def test_frames_of_one_file_and_of_two(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pcap", tmp_path / "two.pcap"
    one.write_bytes(lost(1000.0))
    two.write_bytes(lost(2000.0))
    alone = frames_of(one)
    assert alone and all(entry.isdecimal() for entry in alone)
    both = frames_of(one, two)
    assert {entry.partition("@")[2] for entry in both} == {str(one), str(two)}
    for entry in both:
        number, _, name = entry.partition("@")
        frame = int(number)
        messages = dnscap.read(name).to_arrow("messages").to_pylist()
        (message,) = [row for row in messages if row["frame"] == frame]
        assert message["qname"].startswith("h")


def test_reports_tell_the_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pcap", tmp_path / "two.pcap"
    one.write_bytes(lost(1000.0))
    two.write_bytes(lost(2000.0))
    told = str(dnscap.read([str(one), str(two)]).diagnose())
    assert f"@{one}" in told.replace("\n", "").replace(" ", "")


def test_findings_about_names_tell_the_file_where_captures_overlap(tmp_path: Path) -> None:
    """The same minute at two places: one has the old address of a name, the other the new one."""
    paths = []
    for place, address in enumerate(("192.0.2.1", "192.0.2.2")):
        traffic = Traffic()
        for number in range(3):
            message = query("www.example.com", id=number)
            time = 1000 + 10 * number + place
            traffic.send(time, message, server=f"198.51.100.{place + 1}")
            traffic.send(
                time + 0.01,
                response(message, answer=address, aa=True, ra=False),
                server=f"198.51.100.{place + 1}",
            )
        paths.append(tmp_path / f"{place}.pcap")
        paths[-1].write_bytes(traffic.octets())
    findings = dnscap.read([str(path) for path in paths]).to_arrow("findings").to_pylist()
    told = {entry for row in findings for entry in row["evidence"] if entry.startswith("frame:")}
    assert {entry.partition("@")[2] for entry in told} == {str(path) for path in paths}
    rrsets = dnscap.read([str(path) for path in paths]).to_arrow("rrsets").to_pylist()
    assert {(row["first_frame"], row["last_frame"]) for row in rrsets} == {(2, 6)}
