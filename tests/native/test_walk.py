"""The walk from frames to payloads, against packets that scapy builds."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

scapy = pytest.importorskip("scapy.all")

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III  # noqa: E402
from scapy.contrib.geneve import GENEVE, GeneveOptions  # noqa: E402
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer  # noqa: E402
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.layers.dns import DNS, DNSQR  # noqa: E402
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether  # noqa: E402
from scapy.layers.ppp import HDLC, PPP, PPPoE  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Raw  # noqa: E402

from dnscap.native.walk import Walk  # noqa: E402
from tests.sampling import examples  # noqa: E402

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
WHOLE, CUT = 0, 1
ICMP_ERROR, ARP_FAILURE = 0, 1

QUERY = bytes(DNS(id=0x1234, rd=1, qd=DNSQR(qname="www.example.com")))
PACKET4 = IP(src="192.0.2.1", dst="198.51.100.53", ttl=61) / UDP(sport=40000, dport=53) / Raw(QUERY)
PACKET6 = IPv6(src="2001:db8::1", dst="2001:db8::53", hlim=62) / UDP(sport=40001, dport=53) / Raw(QUERY)
IP4, IP6 = bytes(PACKET4), bytes(PACKET6)
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
MACS = bytes(ETHER)[:12]
HEAD4 = MACS + b"\x08\0"
OUTER = IP(src="10.1.1.1", dst="10.2.2.2")
OUTER6 = IPv6(src="fd00::1", dst="fd00::2")


def walk(*frames, link=1, **options):
    """Datagrams, events and counts of frames of one link type."""
    w = Walk()
    rows = [f if isinstance(f, tuple) else (link, bytes(f), NOW + i) for i, f in enumerate(frames)]
    datagrams, events = w.walk_frames(rows, **options)
    return datagrams, events, w.counts()


def assert_query(row, version=4):
    assert row["payload"] == QUERY
    assert row["wire_size"] == len(QUERY)
    assert row["wholeness"] == WHOLE
    assert row["transport"] == 0
    assert row["stream"] is None
    assert row["frame"] == 1
    assert row["frames"] == 1
    assert row["time"] == NOW
    assert row["ip_version"] == version
    if version == 4:
        assert (row["src"], row["src_port"]) == ("192.0.2.1", 40000)
        assert (row["dst"], row["dst_port"]) == ("198.51.100.53", 53)
        assert row["ip_ttl"] == 61
    else:
        assert (row["src"], row["src_port"]) == ("2001:db8::1", 40001)
        assert (row["dst"], row["dst_port"]) == ("2001:db8::53", 53)
        assert row["ip_ttl"] == 62


def sll(packet, kind=0, protocol=0x0800):
    return struct.pack("!HHH8sH", kind, 1, 6, b"\2\0\0\0\0\1", protocol) + packet


def sll2(packet, kind=0, protocol=0x0800, interface=7):
    return struct.pack("!HHIHBB8s", protocol, 0, interface, 1, kind, 6, b"\2\0\0\0\0\1") + packet


def radiotap(body, flags=0):
    return bytes(RadioTap(present="TSFT+Flags", mac_timestamp=5, Flags=flags)) + body


def dot11(**fields):
    return Dot11(
        type=2, addr1="02:00:00:00:00:01", addr2="02:00:00:00:00:02", addr3="02:00:00:00:00:03", **fields
    )


def nflog(packet, order="<", family=2):
    attributes = struct.pack(order + "HHI", 8, 1, 0) + struct.pack(order + "HH5s3x", 9, 10, b"abcd\0")
    return (
        struct.pack("!BBH", family, 0, 0)
        + attributes
        + struct.pack(order + "HH", len(packet) + 4, 9)
        + packet
    )


def netlink(*packets, order="<", family=12):
    """What a netlink socket gave in one read: a message a packet, and others of netfilter between them."""
    read = struct.pack("!HH10xH", 4, 824, family)
    for kind, content in [(0x0103, b"\2\0\0\0"), *((0x0400, nflog(packet, order)) for packet in packets)]:
        read += struct.pack(order + "IHHII", 16 + len(content), kind, 0, 0, 0) + content
        read += bytes(-len(content) % 4)
    return read


def ppi(packet, link):
    return struct.pack("<BBHI", 0, 0, 8, link) + packet


def pflog(packet, family=2, direction=1):
    return bytes([61, family]) + bytes(58) + bytes([direction]) + bytes(3) + packet


def prism(packet, order="<"):
    return struct.pack(order + "II", 0x44, 144) + bytes(136) + packet


LLC_SNAP = bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x0800))
PPP4, PPP6 = b"\x00\x21" + IP4, b"\x00\x57" + IP6
DATA = bytes(dot11()) + LLC_SNAP + IP4
QOS = bytes(dot11(subtype=8, FCfield=1) / Dot11QoS()) + LLC_SNAP + IP4
AMSDU = bytes(dot11(subtype=8) / Dot11QoS(A_MSDU_Present=1))
AMSDU += bytes(12) + struct.pack("!H", 8 + len(IP4)) + LLC_SNAP + IP4 + bytes(3)

LINKS4 = {
    "ethernet": (1, bytes(ETHER / PACKET4)),
    "ethernet padded": (1, bytes(ETHER / PACKET4) + bytes(20)),
    "vlan": (1, ETHER / Dot1Q(vlan=5) / PACKET4),
    "qinq": (1, ETHER / Dot1AD(vlan=5) / Dot1Q(vlan=6) / PACKET4),
    "qinq 9100": (1, MACS + b"\x91\x00\0\5\x81\0\0\6\x08\0" + IP4),
    "mpls": (1, ETHER / MPLS(label=20, s=0) / MPLS(label=21, s=1) / PACKET4),
    "mpls pseudowire": (1, bytes(ETHER / MPLS(label=20, s=1)) + bytes(4) + bytes(ETHER / PACKET4)),
    "pppoe": (1, ETHER / PPPoE(sessionid=1) / PPP() / PACKET4),
    "pppoe in vlan": (1, ETHER / Dot1Q(vlan=5) / PPPoE(sessionid=1) / PPP() / PACKET4),
    "802.3 snap": (1, Dot3(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Raw(LLC_SNAP) / PACKET4),
    "802.1ah": (1, MACS + b"\x88\xe7" + bytes(4) + bytes(ETHER / PACKET4)),
    "null little": (0, b"\2\0\0\0" + IP4),
    "null big": (0, b"\0\0\0\2" + IP4),
    "loop": (108, b"\0\0\0\2" + IP4),
    "ppp": (9, b"\xff\x03" + PPP4),
    "ppp compressed": (9, b"\x21" + IP4),
    "ppp hdlc": (50, bytes(HDLC()) + PPP4),
    "ppp hdlc cisco": (50, b"\x0f\0\x08\0" + IP4),
    "pppoe link": (51, PPPoE(sessionid=1) / PPP() / PACKET4),
    "ppp with direction": (204, b"\1\xff\x03" + PPP4),
    "cisco hdlc": (104, b"\x0f\0\x08\0" + IP4),
    "frame relay": (107, b"\x18\x41\x03\xcc" + IP4),
    "802.11": (105, DATA),
    "802.11 qos": (105, QOS),
    "802.11 a-msdu": (105, AMSDU),
    "802.11 four addresses": (105, bytes(dot11(FCfield=3, addr4="02:00:00:00:00:04")) + LLC_SNAP + IP4),
    "radiotap": (127, radiotap(QOS)),
    "radiotap padded": (127, radiotap(QOS[:26] + bytes(2) + QOS[26:], flags=0x20)),
    "prism little": (119, prism(DATA)),
    "prism big": (119, prism(DATA, ">")),
    "avs": (163, struct.pack("!II", 0x80211001, 64) + bytes(56) + DATA),
    "avs as prism": (119, struct.pack("!II", 0x80211001, 64) + bytes(56) + DATA),
    "ppi ethernet": (192, ppi(bytes(ETHER / PACKET4), 1)),
    "ppi 802.11": (192, ppi(DATA, 105)),
    "raw": (101, IP4),
    "raw bsd": (12, IP4),
    "raw openbsd": (14, IP4),
    "ipv4": (228, IP4),
    "sll": (113, sll(IP4)),
    "sll vlan": (113, sll(b"\0\5\x08\0" + IP4, protocol=0x8100)),
    "sll2": (276, sll2(IP4)),
    "sll2 vlan": (276, sll2(b"\0\5\x08\0" + IP4, protocol=0x8100)),
    "pflog": (117, pflog(IP4)),
    "enc": (109, struct.pack("<III", 2, 1, 0) + IP4),
    "nflog": (239, nflog(IP4)),
    "nflog big": (239, nflog(IP4, ">")),
    "netlink": (253, netlink(IP4)),
    "netlink big": (253, netlink(IP4, order=">")),
    "ipnet": (226, struct.pack("!BBHIIII4x", 1, 2, 0, len(IP4), 3, 0, 0) + IP4),
    "fddi": (10, b"\x50" + bytes(12) + LLC_SNAP + IP4),
    "atm": (100, LLC_SNAP + IP4),
    "atm bridged": (100, b"\xaa\xaa\x03\0\x80\xc2\0\x07\0\0" + bytes(ETHER / PACKET4)),
    "slip": (8, b"\1" + bytes(15) + IP4),
    "arcnet": (129, bytes([1, 2, 0, 0, 212, 0, 0, 1]) + IP4),
    "arcnet rfc1051": (129, bytes([1, 2, 0, 0, 240]) + IP4),
}

LINKS6 = {
    "ethernet": (1, bytes(ETHER / PACKET6)),
    "vlan": (1, ETHER / Dot1Q(vlan=5) / PACKET6),
    "mpls": (1, ETHER / MPLS(label=20, s=1) / PACKET6),
    "pppoe": (1, ETHER / PPPoE(sessionid=1) / PPP(proto=0x57) / PACKET6),
    "null 24": (0, b"\x18\0\0\0" + IP6),
    "null 30": (0, b"\0\0\0\x1e" + IP6),
    "loop 28": (108, b"\0\0\0\x1c" + IP6),
    "ppp": (9, b"\xff\x03" + PPP6),
    "raw": (101, IP6),
    "ipv6": (229, IP6),
    "sll": (113, sll(IP6, protocol=0x86DD)),
    "sll2": (276, sll2(IP6, protocol=0x86DD)),
    "pflog": (117, pflog(IP6, family=24)),
    "nflog": (239, nflog(IP6, family=10)),
    "frame relay": (107, b"\x18\x41\x03\x8e" + IP6),
}

GTP = GTP_U_Header(teid=1, gtp_type=255)
TUNNELS = {
    "ip in ip": OUTER / PACKET4,
    "ip in ip6": OUTER6 / PACKET4,
    "gre": OUTER / GRE() / PACKET4,
    "gre options": OUTER / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=5) / PACKET4,
    "gre ethernet": OUTER / GRE(proto=0x6558) / ETHER / PACKET4,
    "gre in ip6": OUTER6 / GRE() / PACKET4,
    "erspan 1": OUTER / GRE(proto=0x88BE) / ETHER / PACKET4,
    "erspan 2": OUTER / GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II() / ETHER / PACKET4,
    "erspan 3": OUTER / GRE(seqnum_present=1, proto=0x22EB) / ERSPAN_III() / ETHER / PACKET4,
    "vxlan": OUTER / UDP(sport=50000, dport=4789) / VXLAN(vni=7) / ETHER / PACKET4,
    "vxlan vlan": OUTER / UDP(sport=50000, dport=4789) / VXLAN(vni=7) / ETHER / Dot1Q(vlan=3) / PACKET4,
    "vxlan 8472": OUTER / UDP(sport=50000, dport=8472) / VXLAN(vni=7) / ETHER / PACKET4,
    "vxlan policy": OUTER
    / UDP(sport=50000, dport=4789)
    / VXLAN(vni=7, flags="G+Instance", gpid=9)
    / ETHER
    / PACKET4,
    "vxlan gpe": OUTER / UDP(sport=50000, dport=4790) / Raw(b"\x0c\0\0\1\0\0\7\0") / PACKET4,
    "geneve": OUTER / UDP(sport=50000, dport=6081) / GENEVE(vni=7) / ETHER / PACKET4,
    "geneve options": OUTER
    / UDP(sport=50000, dport=6081)
    / GENEVE(vni=7, proto=0x0800, options=[GeneveOptions(data=b"12345678")])
    / PACKET4,
    "gtp": OUTER / UDP(sport=2152, dport=2152) / GTP / PACKET4,
    "gtp sequence": OUTER
    / UDP(sport=2152, dport=2152)
    / GTP_U_Header(teid=1, gtp_type=255, S=1, seq=3)
    / PACKET4,
    "gtp extension": OUTER
    / UDP(sport=2152, dport=2152)
    / GTP_U_Header(teid=1, gtp_type=255, E=1, next_ex=0x85)
    / GTPPDUSessionContainer(type=0, QFI=5)
    / PACKET4,
    "ah": OUTER / AH(nh=4, payloadlen=4, spi=1, seq=1, icv=bytes(12)) / PACKET4,
    "etherip": OUTER.__class__(src="10.1.1.1", dst="10.2.2.2", proto=97) / Raw(b"\x30\0") / ETHER / PACKET4,
    "three deep": OUTER / OUTER6 / GRE() / PACKET4,
}
TUNNELS6 = {
    "6in4": OUTER / PACKET6,
    "6in6": OUTER6 / PACKET6,
    "gre": OUTER / GRE(proto=0x86DD) / PACKET6,
    "gtp": OUTER / UDP(sport=2152, dport=2152) / GTP / PACKET6,
    "teredo": OUTER / UDP(sport=3544, dport=50000) / Raw(IP6),
    "teredo origin": OUTER / UDP(sport=3544, dport=50000) / Raw(bytes(8) + IP6),
    "teredo authentication": OUTER
    / UDP(sport=3544, dport=50000)
    / Raw(b"\0\1\0\0" + bytes(9) + bytes(8) + IP6),
}


@pytest.mark.parametrize("name", LINKS4)
def test_every_link_layer_leads_to_the_query(name):
    link, frame = LINKS4[name]
    datagrams, events, counts = walk(frame, link=link)
    assert_query(datagrams[0])
    assert len(datagrams) == 1
    assert events == []
    assert counts["dns_udp"] == counts["frames"] == 1


@pytest.mark.parametrize("name", LINKS6)
def test_every_link_layer_leads_to_the_query_over_ipv6(name):
    link, frame = LINKS6[name]
    datagrams, _, counts = walk(frame, link=link)
    assert_query(datagrams[0], 6)
    assert len(datagrams) == counts["dns_udp"] == 1


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_are_followed(name):
    datagrams, _, counts = walk(ETHER / TUNNELS[name])
    assert_query(datagrams[0])
    assert len(datagrams) == counts["tunnelled"] == 1


@pytest.mark.parametrize("name", TUNNELS6)
def test_tunnels_are_followed_to_ipv6(name):
    datagrams, _, counts = walk(ETHER / TUNNELS6[name])
    assert_query(datagrams[0], 6)
    assert len(datagrams) == counts["tunnelled"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        IPv6ExtHdrHopByHop(),
        IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(addresses=["2001:db8::9"]),
        IPv6ExtHdrFragment(id=9),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(id=9) / IPv6ExtHdrDestOpt(),
        AH(nh=17, payloadlen=4, spi=1, seq=1, icv=bytes(12)),
    ],
)
def test_ipv6_extension_headers_are_passed(headers):
    packet = IPv6(src="2001:db8::1", dst="2001:db8::53", hlim=62) / headers / PACKET6[UDP]
    datagrams, _, counts = walk(ETHER / packet)
    assert_query(datagrams[0], 6)
    assert counts["fragments"] == 0


def test_ipv4_options_are_passed():
    packet = (
        IP(src="192.0.2.1", dst="198.51.100.53", ttl=61, options=[IPOption(b"\x01\x01\x01\x01")])
        / PACKET4[UDP]
    )
    datagrams, _, _ = walk(ETHER / packet)
    assert_query(datagrams[0])


def test_extension_headers_without_end_are_given_up():
    packet = IPv6(nh=0, src="::1", dst="::2") / Raw((b"\0\0" + bytes(6)) * 100)
    datagrams, _, counts = walk(ETHER / packet)
    assert datagrams == []
    assert counts["other_transport"] == 1


def test_tunnels_nested_too_deep_are_counted():
    packet = PACKET4
    for _ in range(9):
        packet = OUTER / packet
    assert walk(ETHER / packet)[2]["too_deep"] == 1
    bridged = bytes(ETHER / PACKET4)
    for _ in range(200):
        bridged = MACS + b"\x88\xe7" + bytes(4) + bridged
    assert walk(bridged)[2]["too_deep"] == 1
    snap = MACS + b"\x05\xdc" + b"\xaa\xaa\x03\0\0\0\x81\0\0\1\x05\xdc" * 20000
    assert walk(snap)[2]["too_deep"] == 1


@pytest.mark.parametrize("port", [4789, 6081, 2152, 3544])
def test_ports_of_tunnels_may_carry_other_things(port):
    for content in (
        b"",
        b"\x08",
        bytes(100),
        b"\x08" + bytes(7) + b"GET / HTTP/1.1 something else",
        b"\x30\xff" + bytes(90),
    ):
        datagrams, _, counts = walk(ETHER / OUTER / UDP(sport=50000, dport=port) / Raw(content))
        assert datagrams == []
        assert counts["other_ports"] == 1
        assert counts["tunnelled"] == 0


def test_direction_and_interface():
    frames = [
        (113, sll(IP4, kind=0), NOW),
        (113, sll(IP4, kind=4), NOW),
        (276, sll2(IP4, kind=4, interface=9), NOW),
        (276, sll2(IP6, kind=1, protocol=0x86DD, interface=10), NOW),
        (276, sll2(IP4, kind=4), NOW, 0, 1, 3),  # the file's word comes first
        (1, bytes(ETHER / PACKET4), NOW, 0, 2, 0),
        (1, bytes(ETHER / PACKET4), NOW),
        (117, pflog(IP4, direction=2), NOW),
    ]
    datagrams, _, _ = walk(*frames)
    assert [d["direction"] for d in datagrams] == [1, 2, 2, 1, 1, 2, 0, 2]
    assert [d["interface"] for d in datagrams] == [0, 0, 9, 10, 7, 0, 0, 0]
    assert [d["source"] for d in datagrams] == [0, 0, 0, 0, 3, 0, 0, 0]


def test_place_tells_sightings_apart():
    frames = [
        ETHER / PACKET4,
        Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / PACKET4,
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:03") / PACKET4,
        ETHER / Dot1Q(vlan=5) / PACKET4,
        ETHER / Dot1Q(vlan=6) / PACKET4,
        ETHER / OUTER / GRE() / PACKET4,
        ETHER / OUTER / UDP(sport=5, dport=4789) / VXLAN(vni=7) / ETHER / PACKET4,
    ]
    datagrams, _, _ = walk(*frames, *frames)
    places = [d["place"] for d in datagrams]
    assert len(set(places)) == len(frames)
    assert places[: len(frames)] == places[len(frames) :]
    assert walk(IP4, link=101)[0][0]["place"] == 0
    assert walk(Ether(src="00:00:00:00:00:00", dst="00:00:00:00:00:00") / PACKET4)[0][0]["place"] == 0


def test_place_ignores_garbage_behind_a_cooked_address():
    one, other = sll(IP4), bytearray(sll(IP4))
    other[12:14] = b"xy"
    datagrams, _, _ = walk(one, bytes(other), link=113)
    assert datagrams[0]["place"] == datagrams[1]["place"] != 0


@pytest.mark.parametrize(("packet", "version"), [(PACKET4, 4), (PACKET6, 6)])
def test_a_cut_payload_is_marked(packet, version):
    frame = bytes(ETHER / packet)
    for missing in range(1, len(QUERY)):
        datagrams, _, counts = walk((1, frame[:-missing], NOW, len(frame)))
        assert len(datagrams) == counts["cut_frames"] == 1
        assert datagrams[0]["wholeness"] == CUT
        assert datagrams[0]["payload"] == QUERY[:-missing]
        assert datagrams[0]["wire_size"] == len(QUERY)
    datagrams, _, counts = walk((1, frame[: -len(QUERY)], NOW, len(frame)))
    assert datagrams == []
    assert counts["dns_udp"] == 1


@pytest.mark.parametrize("vlan", [False, True])
@pytest.mark.parametrize("length", [0, 3, 7, 65535])
def test_a_udp_length_that_cannot_be_is_not_believed(vlan, length):
    packet = (
        IP(src="192.0.2.1", dst="198.51.100.53", ttl=61) / UDP(sport=40000, dport=53, len=length) / Raw(QUERY)
    )
    frame = ETHER / Dot1Q(vlan=1) / packet if vlan else ETHER / packet
    datagrams, _, _ = walk(bytes(frame) + bytes(9))
    assert_query(datagrams[0])


@pytest.mark.parametrize("vlan", [False, True])
def test_a_udp_length_shorter_than_ip_says_is_believed(vlan):
    packet = IP(src="192.0.2.1", dst="198.51.100.53") / UDP(sport=40000, dport=53, len=8 + 20) / Raw(QUERY)
    datagrams, _, _ = walk(ETHER / Dot1Q(vlan=1) / packet if vlan else ETHER / packet)
    assert datagrams[0]["payload"] == QUERY[:20]
    assert datagrams[0]["wholeness"] == WHOLE


def test_an_ip_length_of_zero_means_what_was_captured():
    packet = bytes(IP(src="192.0.2.1", dst="198.51.100.53", ttl=61, len=0) / PACKET4[UDP])
    assert_query(walk(HEAD4 + packet)[0][0])
    jumbo = bytes(IPv6(src="2001:db8::1", dst="2001:db8::53", hlim=62, plen=0) / PACKET6[UDP])
    assert_query(walk(MACS + b"\x86\xdd" + jumbo)[0][0], 6)


def test_short_payloads_are_given_out_and_empty_ones_are_not():
    frames = [ETHER / OUTER / UDP(sport=5000, dport=53) / Raw(bytes(size)) for size in (0, 1, 11, 12)]
    datagrams, _, counts = walk(*frames)
    assert [len(d["payload"]) for d in datagrams] == [1, 11, 12]
    assert counts["dns_udp"] == 4


@pytest.mark.parametrize("ihl", [0, 4, 15])
def test_header_lengths_that_make_no_sense(ihl):
    packet = bytearray(IP4)
    packet[0] = 0x40 | ihl
    if ihl == 15:
        packet = packet[:40]
    datagrams, _, counts = walk(HEAD4 + bytes(packet))
    assert datagrams == []
    assert counts["bad_ip"] == 1


def test_dns_ports_are_a_choice():
    packets = [
        ETHER / OUTER / UDP(sport=sport, dport=dport) / Raw(QUERY)
        for sport, dport in ((1053, 9), (9, 1053), (53, 9))
    ]
    w = Walk([1053])
    datagrams, _ = w.walk_frames([(1, bytes(p), NOW) for p in packets])
    assert [(d["src_port"], d["dst_port"]) for d in datagrams] == [(1053, 9), (9, 1053)]
    assert w.counts()["other_ports"] == 1
    for port in (0, 65536, -1):
        with pytest.raises(ValueError, match="port"):
            Walk([port])


def test_multicast_dns_and_llmnr():
    frames = [ETHER / OUTER / UDP(sport=port, dport=port) / Raw(QUERY) for port in (5353, 5355)]
    assert [d["dst_port"] for d in walk(*frames)[0]] == [5353, 5355]


def test_encrypted_dns_is_counted():
    frames = [
        ETHER / OUTER / TCP(dport=853),
        ETHER / OUTER / TCP(sport=853, dport=9999),
        ETHER / OUTER / UDP(sport=5000, dport=853) / Raw(bytes(30)),
        ETHER / IP(src="10.0.0.1", dst="1.1.1.1") / TCP(dport=443),
        ETHER / IP(src="8.8.8.8", dst="10.0.0.1") / UDP(sport=443, dport=5000) / Raw(bytes(30)),
        ETHER / IPv6(src="fd00::1", dst="2606:4700:4700::1111") / TCP(dport=443),
        ETHER / IPv6(src="fd00::1", dst="2606:4700:4700::1112") / TCP(dport=443),
        ETHER / IP(src="1.1.1.1", dst="10.0.0.1") / TCP(dport=443),
    ]
    datagrams, _, counts = walk(*frames)
    assert datagrams == []
    assert (counts["dot"], counts["doq"], counts["doh"]) == (2, 1, 3)
    assert counts["other_ports"] == len(frames)


def test_frames_that_carry_no_dns_are_counted_once():
    frames = [
        (1, bytes(ETHER / ARP(psrc="10.0.0.1", pdst="10.0.0.2")), NOW),
        (1, MACS + b"\x88\xcc" + bytes(40), NOW),
        (1, b"", NOW),
        (148, bytes(40), NOW),
        (1, bytes(ETHER / OUTER / ICMP()), NOW),
        (1, bytes(ETHER / IP(proto=89) / Raw(bytes(40))), NOW),
        (1, HEAD4 + b"\x45\0", NOW),
        (105, bytes(dot11(FCfield=0x40)) + bytes(60), NOW),
    ]
    _, events, counts = walk(*frames)
    assert events == []
    assert counts["frames"] == len(frames)
    assert counts["octets"] == sum(len(f[1]) for f in frames)
    assert counts["not_ip"] == 4
    assert counts["unknown_link"] == 1
    assert counts["other_transport"] == 2
    assert counts["bad_ip"] == 1


def test_tcp_segments_are_handed_on():
    message = struct.pack("!H", len(QUERY)) + QUERY
    frames = [
        ETHER / OUTER / TCP(sport=40000, dport=53, flags="S", seq=99),
        ETHER / OUTER / TCP(sport=40000, dport=53, flags="PA", seq=100) / Raw(message),
    ]
    counts = walk(*frames)[2]
    assert counts["dns_tcp"] == 2
    assert counts["bad_ip"] == 0
    assert walk(ETHER / OUTER / TCP(dport=53, dataofs=15))[2]["bad_ip"] == 1
    assert walk(ETHER / OUTER / TCP(dport=53, dataofs=2))[2]["bad_ip"] == 1


ERRORS4 = [
    (3, 3, True),
    (3, 13, True),
    (11, 0, True),
    (12, 0, True),
    (3, 4, True),
    (5, 0, False),
    (8, 0, False),
]


@pytest.mark.parametrize(("kind", "code", "is_error"), ERRORS4)
def test_icmp_errors_quote_the_packet(kind, code, is_error):
    router = IP(src="203.0.113.1", dst="192.0.2.1")
    datagrams, events, counts = walk(ETHER / router / ICMP(type=kind, code=code) / PACKET4)
    assert datagrams == []
    assert counts["icmp_errors"] == len(events) == is_error
    if not is_error:
        return
    (event,) = events
    assert event["kind"] == ICMP_ERROR
    assert event["code"] == kind << 8 | code
    assert (event["src"], event["dst"]) == ("203.0.113.1", "192.0.2.1")
    assert (event["quoted_src"], event["quoted_src_port"]) == ("192.0.2.1", 40000)
    assert (event["quoted_dst"], event["quoted_dst_port"]) == ("198.51.100.53", 53)
    assert event["transport"] == 0
    assert event["quote"] == QUERY
    assert (event["frame"], event["time"]) == (1, NOW)


def test_icmp_errors_quote_little():
    router = IP(src="203.0.113.1", dst="192.0.2.1")
    _, events, _ = walk(ETHER / router / ICMP(type=3, code=3) / Raw(IP4[:28]))
    assert events[0]["quote"] == b""
    assert events[0]["quoted_dst_port"] == 53
    syn = bytes(IP(src="192.0.2.1", dst="198.51.100.53") / TCP(sport=40000, dport=53))
    _, events, _ = walk(ETHER / router / ICMP(type=3, code=1) / Raw(syn[:28]))
    assert (events[0]["transport"], events[0]["quote"]) == (1, b"")
    # extensions (RFC 4884) behind the quoted packet are not part of it
    _, events, _ = walk(ETHER / router / ICMP(type=3, code=1) / Raw(IP4 + bytes(80)))
    assert events[0]["quote"] == QUERY
    for other in (
        bytes(IP() / UDP(sport=5, dport=6) / Raw(QUERY)),
        bytes(IP(frag=3) / Raw(IP4[20:])),
        IP4[:23],
        b"",
    ):
        assert walk(ETHER / router / ICMP(type=3, code=1) / Raw(other))[1] == []


def test_icmp6_errors_quote_the_packet():
    router = IPv6(src="2001:db8:ffff::1", dst="2001:db8::1")
    frames = [
        ETHER / router / ICMPv6DestUnreach(code=4) / PACKET6,
        ETHER / router / ICMPv6PacketTooBig(mtu=1280) / PACKET6,
        ETHER
        / router
        / ICMPv6DestUnreach(code=1)
        / Raw(
            bytes(IPv6(src="2001:db8::1", dst="2001:db8::53") / IPv6ExtHdrFragment(m=1, id=4) / PACKET6[UDP])
        ),
    ]
    _, events, _ = walk(*frames)
    assert [e["code"] for e in events] == [0x0104, 0x0200, 0x0101]
    for event in events:
        assert event["src"] == "2001:db8:ffff::1"
        assert (event["quoted_src"], event["quoted_src_port"]) == ("2001:db8::1", 40001)
        assert (event["quoted_dst"], event["quoted_dst_port"]) == ("2001:db8::53", 53)
        assert event["quote"] == QUERY


def arp_frame(at, op="who-has", src="10.0.0.1", dst="10.0.0.53"):
    return (
        1,
        bytes(ETHER / ARP(op=op, psrc=src, pdst=dst, hwsrc="02:00:00:00:00:01")),
        NOW + int(at * SECOND),
    )


def test_arp_requests_without_reply_are_an_event():
    _, events, _ = walk(*(arp_frame(at) for at in (0, 1, 2)))
    (event,) = events
    assert event["kind"] == ARP_FAILURE
    assert (event["quoted_src"], event["quoted_dst"]) == ("10.0.0.1", "10.0.0.53")
    assert event["frame"] == 3


@pytest.mark.parametrize(
    "frames",
    [
        [arp_frame(0), arp_frame(1)],
        [arp_frame(0), arp_frame(4), arp_frame(8)],
        [arp_frame(0), arp_frame(0.001), arp_frame(0.002)],
        [arp_frame(0), arp_frame(1), arp_frame(1.001, "is-at", "10.0.0.53", "10.0.0.1"), arp_frame(2)],
        [arp_frame(at, src="0.0.0.0") for at in range(3)],
        [arp_frame(at, src="10.0.0.53") for at in range(3)],
        [arp_frame(at, dst=f"10.0.0.{at}") for at in range(200)],
    ],
)
def test_arp_that_is_no_failure(frames):
    assert walk(*frames)[1] == []


MANGLED = {
    **{f"link {name}": value for name, value in LINKS4.items()},
    **{f"tunnel {name}": (1, ETHER / value) for name, value in TUNNELS.items()},
    **{f"tunnel6 {name}": (1, ETHER / value) for name, value in TUNNELS6.items()},
    "icmp": (1, ETHER / OUTER / ICMP(type=3, code=3) / PACKET4),
    "icmp6": (1, ETHER / OUTER6 / ICMPv6DestUnreach(code=4) / PACKET6),
    "tcp": (
        1,
        ETHER
        / OUTER
        / TCP(sport=40000, dport=53, flags="PA", options=[("MSS", 1460)])
        / Raw(b"\0\x21" + QUERY),
    ),
    "extensions": (
        1,
        ETHER / OUTER6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(id=9) / IPv6ExtHdrDestOpt() / PACKET6[UDP],
    ),
    "arp": (1, ETHER / ARP()),
}


@pytest.mark.parametrize("name", MANGLED)
def test_frames_cut_at_every_length(name):
    link, frame = MANGLED[name]
    octets = bytes(frame)
    frames = [(link, octets[:size], NOW, len(octets)) for size in range(len(octets))]
    datagrams, _, counts = walk(*frames, finish=True)
    assert counts["frames"] == counts["cut_frames"] == len(octets)
    for d in datagrams:
        if d["transport"] == 0 and d["dst_port"] == 53 and d["wire_size"] == len(QUERY):
            assert QUERY.startswith(d["payload"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                sorted({link for link, _ in MANGLED.values()} | {link for link, _ in LINKS6.values()})
            ),
            st.binary(max_size=120),
        ),
        max_size=10,
    )
)
@settings(max_examples=examples(150))
def test_any_octets_under_any_link_type(frames):
    counts = walk(*((link, octets, NOW) for link, octets in frames), finish=True)[2]
    assert counts["frames"] == len(frames)


@given(
    st.sampled_from(sorted(MANGLED)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.data(),
)
@settings(max_examples=examples(300))
def test_damaged_frames(name, changes, data):
    link, frame = MANGLED[name]
    octets = bytearray(bytes(frame))
    for at, value in changes:
        octets[at % len(octets)] = value
    size = data.draw(st.integers(0, len(octets)))
    wire = data.draw(st.integers(0, 70000))
    datagrams, _, _ = walk((link, bytes(octets[:size]), NOW, wire), finish=True)
    for d in datagrams:
        assert 0 < len(d["payload"]) <= size
        if d["transport"] == 0:
            assert len(d["payload"]) <= d["wire_size"]


def test_batches_do_not_change_the_result():
    frames = [
        (link, bytes(frame), NOW + i * SECOND // 2) for i, (link, frame) in enumerate(MANGLED.values())
    ] * 5
    whole = Walk().walk_frames(frames, finish=True)
    w = Walk()
    datagrams, events = [], []
    for i, frame in enumerate(frames):
        more = w.walk_frames([frame], finish=i == len(frames) - 1)
        datagrams += more[0]
        events += more[1]
    assert (datagrams, events) == whole


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_netlink_read_holds_several_packets(order):
    rows, _, counts = walk(netlink(IP4, IP4, IP6[:20], IP4, order=order), link=253)
    assert [row["payload"] for row in rows] == [QUERY] * 3
    assert {row["frame"] for row in rows} == {1}
    assert counts["frames"] == 1


@pytest.mark.parametrize("size", range(0, 120, 3))
def test_a_netlink_read_cut_anywhere_keeps_what_is_whole(size):
    octets = netlink(IP4, IP4)
    rows, _, _ = walk((253, octets[:size], NOW, len(octets)), link=253)
    assert len(rows) <= 1
    assert not walk(netlink(IP4, family=0), link=253)[0]
