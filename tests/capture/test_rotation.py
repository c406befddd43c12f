import struct

from hypothesis import given
from hypothesis import strategies as st

from dnscap.capture import expand_inputs, first_time
from dnscap.capture.rotation import natural_key

from .captures import SECOND, interface, option, packet, pcap, section

TIME = 1_700_000_000 * SECOND + 123_456_000


def test_first_time_of_pcap():
    assert first_time(pcap(TIME)) == TIME
    assert first_time(pcap(TIME, order=">")) == TIME
    assert first_time(pcap(TIME + 789, magic=0xA1B23C4D)) == TIME + 789
    assert first_time(pcap(TIME, magic=0xA1B2CD34, order=">")) == TIME
    assert first_time(pcap()) is None


def test_first_time_of_pcapng():
    for order in "<>":
        assert first_time(section(order) + interface(order=order) + packet(TIME // 1000, order=order)) == TIME
    nano = interface(option(9, b"\x09"))
    assert first_time(section() + nano + packet(TIME + 5)) == TIME + 5
    binary = interface(option(2, b"eth0") + option(9, b"\x8a") + option(0, b""))
    assert first_time(section() + binary + packet(1_700_000_000 << 10)) == 1_700_000_000 * SECOND
    shifted = interface(option(14, struct.pack("<q", 1_600_000_000)))
    assert first_time(section() + shifted + packet(2_000_000)) == 1_600_000_002 * SECOND


def test_first_time_of_a_second_interface_or_section():
    two = section() + interface() + interface(option(9, b"\x00")) + packet(1_700_000_000, interface=1)
    assert first_time(two) == 1_700_000_000 * SECOND
    assert (
        first_time(section() + interface() + section(">") + interface(order=">") + packet(7, order=">"))
        == 7000
    )


def test_first_time_gives_up_on_damage():
    assert first_time(section() + packet(1)) is None
    assert first_time(section() + interface() + struct.pack("<II", 5, 0) + bytes(100)) is None
    assert first_time(section() + interface() + packet(1)[:16]) is None


@given(st.binary(max_size=200), st.sampled_from([b"", pcap(), section(), section() + interface()]))
def test_first_time_takes_any_octets(octets, before):
    assert first_time(before + octets) is None or isinstance(first_time(before + octets), int)


def test_natural_order():
    names = ["y.pcap00", "x.pcap10", "x.pcap2", "y.pcap0", "x.pcap", "x.pcap1"]
    in_order = ["x.pcap", "x.pcap1", "x.pcap2", "x.pcap10", "y.pcap0", "y.pcap00"]
    assert sorted(names, key=natural_key) == in_order


def names(found):
    return [one.name.rpartition("/")[2] for one in found]


def test_a_ring_is_ordered_by_its_packets_not_its_names(tmp_path):
    """GIVEN a ring of tcpdump -W 3 that has wrapped, the oldest file is not number 0."""
    for number, time in enumerate([50, 60, 40]):
        (tmp_path / f"x.pcap{number}").write_bytes(pcap(time * SECOND))

    assert names(expand_inputs(tmp_path)) == ["x.pcap2", "x.pcap0", "x.pcap1"]
    assert names(expand_inputs(str(tmp_path / "x.pcap[01]"))) == ["x.pcap0", "x.pcap1"]
    assert names(expand_inputs([tmp_path / "x.pcap1", tmp_path / "x.pcap2"])) == ["x.pcap2", "x.pcap1"]


def test_files_without_packets_stay_where_their_names_put_them(tmp_path):
    for number in range(12):
        (tmp_path / f"x.pcap{number or ''}").write_bytes(pcap())

    assert names(expand_inputs(tmp_path)) == ["x.pcap", *(f"x.pcap{number}" for number in range(1, 12))]

    (tmp_path / "x.pcap4").write_bytes(pcap(9 * SECOND))
    (tmp_path / "x.pcap2").write_bytes(pcap(99 * SECOND))
    order = names(expand_inputs(tmp_path))
    assert order[2:4] == ["x.pcap4", "x.pcap5"]
    assert order[-2:] == ["x.pcap2", "x.pcap3"]


def test_overlapping_files_keep_the_order_of_their_first_packets(tmp_path):
    (tmp_path / "a.pcap").write_bytes(pcap(20 * SECOND, 30 * SECOND))
    (tmp_path / "b.pcap").write_bytes(pcap(10 * SECOND, 40 * SECOND))
    (tmp_path / "c.pcap").write_bytes(pcap(20 * SECOND, 21 * SECOND))

    assert names(expand_inputs(tmp_path)) == ["b.pcap", "a.pcap", "c.pcap"]
