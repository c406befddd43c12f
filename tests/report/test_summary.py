"""The summary counts what independent witnesses count, and says it within eighty columns."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections import Counter
from pathlib import Path

import dns.flags
import dns.message
import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

import dnscap
from dnscap.report.summary import Summary, summarize
from dnscap.report.summary_json import as_json, write_json
from dnscap.report.summary_tallies import MOST_TEXTS, Peak, TextTally
from dnscap.report.summary_text import write_text

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("DNSCAP_SHARED", ROOT.parent / "shared"))
FIRST_LOOK = ROOT / "examples" / "first-look.pcap"
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")  # without addresses scapy asks the network


def text_of(summary: Summary, width: int = 80, colour: bool = False) -> str:
    stream = io.StringIO()
    write_text(summary, stream, width=width, colour=colour)
    return stream.getvalue()


def udp_messages(path: Path) -> list[tuple[str, str, dns.message.Message]]:
    """Source, destination and message of each UDP datagram on port 53, by scapy and dnspython."""
    found = []
    for packet in rdpcap(str(path)):
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        udp = packet.getlayer(UDP)
        if ip is None or udp is None or 53 not in (udp.sport, udp.dport):
            continue
        found.append((ip.src, ip.dst, dns.message.from_wire(bytes(udp.payload), ignore_trailing=True)))
    return found


def capture_of(
    *payloads: bytes, sport: int = 40000, dport: int = 53, src: str = "192.0.2.1"
) -> dnscap.Capture:
    packets = []
    for number, payload in enumerate(payloads):
        packet = FRAME / IP(src=src, dst="192.0.2.53") / UDP(sport=sport, dport=dport) / payload
        packet.time = 1_700_000_000 + number / 10
        packets.append(packet)
    return dnscap.read(packets)


LAB = [
    "plain/glibc-unbound/client.eth0.pcap",
    "ndots5-search/musl-unbound/client.eth0.pcap",
    "dead-nameserver/glibc-defaults/client.eth0.pcap",
    "options/glibc-edns0-trustad/client.eth0.pcap",
]


@pytest.mark.requires("lab", "scapy")
@pytest.mark.parametrize("name", LAB)
def test_counts_are_those_of_scapy_and_dnspython(name: str) -> None:
    path = SHARED / "lab" / name
    if not path.exists():
        pytest.skip(f"no {name}")
    summary = summarize(dnscap.read(path), top=1000)
    witness = udp_messages(path)
    queries = [(s, d, m) for s, d, m in witness if not m.flags & dns.flags.QR]
    responses = [(s, d, m) for s, d, m in witness if m.flags & dns.flags.QR]
    if set(summary.transports) == {"udp"}:
        assert (summary.queries, summary.responses) == (len(queries), len(responses))
        assert summary.types == Counter(m.question[0].rdtype.name for _, _, m in queries)
        assert summary.rcodes == Counter(m.rcode().name for _, _, m in responses)
        assert summary.truncated == sum(bool(m.flags & dns.flags.TC) for _, _, m in responses)
        assert summary.edns.queries == sum(m.edns >= 0 for _, _, m in queries)
        asked = Counter(str(m.question[0].name).lower() for _, _, m in queries)
        assert {row.text: row.counts[0] for row in summary.names.rows if row.counts[0]} == asked
        clients = Counter(s for s, _, _ in queries)
        assert {row.text: row.counts[0] for row in summary.clients.rows} == clients
        servers = Counter(d for _, d, _ in queries)
        assert {row.text: row.counts[0] for row in summary.servers.rows} == servers


@pytest.mark.requires("shared")
@pytest.mark.parametrize("prefix", ["zeek__zeek/", "chrissanders__packets/", "DNS-OARC__PacketQ/"])
def test_counts_are_those_of_tshark(prefix: str) -> None:
    import csv

    lines = (SHARED / "captures" / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    compared = 0
    for row in csv.DictReader(lines, delimiter="\t"):
        path = SHARED / "captures" / row["file"]
        if not row["file"].startswith(prefix) or not path.exists() or "udp:" not in row["transports"]:
            continue
        if any(word in row["transports"] for word in ("tcp", "nbns", "llmnr", "mdns")):
            continue
        summary = summarize(dnscap.read(path))
        if summary.malformed or summary.incomplete or summary.faults or summary.multicast or summary.headless:
            continue
        oracle = SHARED / "captures" / "oracle" / row["oracle"] / "tshark.tsv.gz"
        with gzip.open(oracle, "rt", encoding="utf-8", errors="replace") as stream:
            rows = [
                r
                for r in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
                if r["app"] == "dns"
                and r["quoted"] != "1"
                and not r["malformed"]
                and "53" in (r["sport"], r["dport"])
            ]
        seen = summary.queries + summary.responses
        if seen + summary.sightings == len(rows):
            compared += 1
        assert abs(seen + summary.sightings - len(rows)) <= 0.01 * len(rows), row["file"]
    assert compared


def test_narrowing_narrows_the_counts() -> None:
    whole = summarize(dnscap.read(FIRST_LOOK))
    part = summarize(dnscap.read(FIRST_LOOK, server="10.53.1.9"))
    assert 0 < part.queries < whole.queries
    assert [row.text for row in part.servers.rows] == ["10.53.1.9"]
    assert part.inputs == whole.inputs


def test_the_summary_fits_a_screen() -> None:
    text = text_of(summarize(dnscap.read(FIRST_LOOK)))
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text
    assert "66 queries, 62 responses over UDP" in text


@pytest.mark.parametrize("width", [60, 72, 100])
def test_no_line_is_wider_than_asked(width: int) -> None:
    assert max(map(len, text_of(summarize(dnscap.read(FIRST_LOOK)), width).splitlines())) <= width


def test_colours_only_when_asked() -> None:
    assert "\x1b[1mClients" in text_of(summarize(dnscap.read(FIRST_LOOK)), colour=True)


@pytest.mark.requires("scapy")
def test_a_name_cannot_steer_the_terminal() -> None:
    query = bytes.fromhex("0001010000010000000000000b") + b"\x1b[2Jevil\x07\r\n" + b"\0\0\x01\0\x01"
    text = text_of(summarize(capture_of(query)))
    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert "\\027[2jevil" in text


@pytest.mark.requires("scapy")
def test_multicast_dns_and_llmnr_are_apart() -> None:
    query = dns.message.make_query("printer.local.", "A").to_wire()
    assert summarize(capture_of(query, sport=5353, dport=5353)).multicast == {"mdns": (1, 0)}
    llmnr = summarize(capture_of(query, query, dport=5355))
    assert llmnr.multicast == {"llmnr": (2, 0)}
    assert not llmnr.queries and not llmnr.names.rows
    assert "LLMNR        2 queries" in text_of(llmnr)


@pytest.mark.requires("scapy")
def test_a_client_whose_port_happens_to_be_one_of_multicast_dns() -> None:
    query = dns.message.make_query("www.example.", "A").to_wire()
    summary = summarize(capture_of(query, sport=5353))
    assert summary.queries == 1 and not summary.multicast


@pytest.mark.requires("scapy")
def test_broken_messages_are_told_by_what_is_wrong() -> None:
    good = dns.message.make_query("www.example.", "A").to_wire()
    summary = summarize(capture_of(good, good[:8], good + b"x"))
    assert summary.malformed == {"short-header": 1, "trailing-octets": 1}
    assert summary.headless == 1
    assert "2 messages: 1 short-header, 1 trailing-octets" in text_of(summary)


@pytest.mark.requires("scapy")
def test_connections_are_counted_by_end() -> None:
    packets = [FRAME / IP(dst="192.0.2.53") / TCP(sport=4000 + n, dport=53, flags="S") for n in range(3)]
    summary = summarize(dnscap.read(packets))
    assert summary.connections.total == 3
    assert sum(summary.connections.ends.values()) == 3


def test_a_capture_without_dns(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(FIRST_LOOK.read_bytes()[:24])
    summary = summarize(dnscap.read(empty))
    text = text_of(summary)
    assert "no DNS messages" in text
    assert as_json(summary)["messages"]["total"] == 0


def test_what_went_wrong_is_in_the_summary(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(FIRST_LOOK.read_bytes()[:5000])
    assert any("ends inside the packet" in note for note in summarize(dnscap.read(cut)).notes)


def test_json_is_plain_and_times_have_nine_decimals() -> None:
    stream = io.StringIO()
    write_json(summarize(dnscap.read(FIRST_LOOK)), stream)
    told = json.loads(stream.getvalue())
    assert told["first_time"] == "2026-11-22T02:52:08.456464000Z"
    assert told["duration"] == pytest.approx(85.374, abs=0.01)
    assert told["messages"]["queries"] == 66
    assert told["rcodes"] == {"NXDOMAIN": 36, "NOERROR": 26}
    assert told["clients"]["top"][0] == {
        "client": "10.53.1.10", "queries": 66, "responses": 62, "failures": 0, "may_be_more_by": 0,
    }  # fmt: skip


# Tallies ----------------------------------------------------------------------------------------------------


def _texts(codes: np.ndarray) -> list[str]:
    return [str(code) for code in codes.tolist()]


def test_a_tally_within_one_dictionary_is_exact() -> None:
    codes = np.random.default_rng(1).zipf(1.3, 200_000) % 50_000
    tally = TextTally(1)
    for part in np.array_split(codes.astype(np.uint32), 7):
        tally.add(0, part)
    tally.close(_texts)
    truth = Counter(codes.tolist())
    assert tally.distinct == len(truth) > MOST_TEXTS and tally.distinct_exact
    for row in tally.most(20):
        assert row.counts == (truth[int(row.text)],) and row.error == 0


def test_a_tally_over_dictionaries_is_bounded_and_its_error_holds() -> None:
    rng = np.random.default_rng(2)
    tally, truth = TextTally(2), Counter[int]()
    for _ in range(6):
        codes = np.where(
            rng.random(60_000) < 0.3, rng.integers(0, 300, 60_000), rng.integers(0, 400_000, 60_000)
        )
        tally.add(0, codes[::2].astype(np.uint32))
        tally.add(1, codes[1::2].astype(np.uint32))
        tally.close(_texts)
        truth.update(codes.tolist())
    assert len(tally._table) <= MOST_TEXTS
    assert not tally.distinct_exact and tally.distinct <= len(truth)
    for row in tally.most(MOST_TEXTS):
        assert sum(row.counts) <= truth[int(row.text)] <= sum(row.counts) + row.error


def test_the_busiest_second_of_times_in_any_order() -> None:
    peak = Peak()
    assert peak.busiest is None
    second = 1_000_000_000
    peak.add(np.array([5, 5, 9, 5], dtype=np.int64) * second)
    peak.add(np.array([9, 10**9, 9, 9], dtype=np.int64) * second)
    assert peak.busiest == (9 * second, 4)
