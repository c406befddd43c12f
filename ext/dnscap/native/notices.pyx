"""What other protocols say of DNS packets: ICMP errors that quote them, ARP requests without reply."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.events cimport (
    EVENT_ARP_FAILURE, EVENT_ICMP_ERROR, QUOTE_ROOM, Event, EventLog, event_log_add,
)
from dnscap.native.frames cimport Frame
from dnscap.native.links cimport TYPE_IP4
from dnscap.native.octets cimport be16, has, left, load32, mapped_ip4, take
from dnscap.native.packets cimport (
    MOST_EXTENSIONS, PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_FRAGMENT, PROTOCOL_HOP_BY_HOP, PROTOCOL_ICMP,
    PROTOCOL_ROUTING, PROTOCOL_TCP, PROTOCOL_UDP, Ends, Packet, is_dns,
)

cdef enum:
    ARP_SLOTS = 512            # addresses asked for without reply that are remembered
    ARP_TRIES = 3              # what Linux, Windows and macOS send before they give up

cdef int64_t ARP_WINDOW = 5_000_000_000     # in which the tries must come: they are sent a second apart
cdef int64_t ARP_APART = 100_000_000        # nearer ones are sightings of one request

cdef struct ArpSlot:
    uint32_t asked
    uint32_t asker
    uint32_t tries
    int64_t first
    int64_t latest

cdef struct ArpTable:
    ArpSlot slots[ARP_SLOTS]


cdef ArpTable* arp_open() noexcept nogil:
    return <ArpTable*>calloc(1, sizeof(ArpTable))


cdef void arp_close(ArpTable* table) noexcept nogil:
    free(table)


cdef bint note_icmp(Packet* p, const Ends* ends, uint32_t protocol, const uint32_t* dns_ports,
                    const Frame* frame, EventLog* events) noexcept nogil:
    cdef const uint8_t* icmp_header = take(&p.body, 8)
    cdef const uint8_t* h = icmp_header
    cdef const uint8_t* q
    cdef Ends quoted
    cdef Event* e
    cdef uint32_t kind, size, total
    cdef int _i
    if h == NULL:
        return False
    if protocol == PROTOCOL_ICMP:
        if h[0] != 3 and h[0] != 11 and h[0] != 12:
            return False
    elif h[0] < 1 or h[0] > 4:
        return False
    q = p.body.at
    kind = 256                 # no protocol
    if has(&p.body, 20) and q[0] >> 4 == 4:
        size = (q[0] & 15) * 4
        total = be16(q + 2)
        if total >= size + 8 and total < left(&p.body):
            p.body.end = q + total             # behind it: extensions (RFC 4884), padding
        quoted.src[0] = quoted.dst[0] = 0
        quoted.src[1] = mapped_ip4(q + 12)
        quoted.dst[1] = mapped_ip4(q + 16)
        if size >= 20 and take(&p.body, size) != NULL and be16(q + 6) & 0x1FFF == 0:
            kind = q[9]
    elif has(&p.body, 40) and q[0] >> 4 == 6:
        total = be16(q + 4)
        p.body.at += 40
        if total >= 8 and total < left(&p.body):
            p.body.end = p.body.at + total
        memcpy(quoted.src, q + 8, 16)
        memcpy(quoted.dst, q + 24, 16)
        kind = q[6]
        for _i in range(MOST_EXTENSIONS):
            if kind == PROTOCOL_UDP or kind == PROTOCOL_TCP or not has(&p.body, 8):
                break
            h = p.body.at
            if kind == PROTOCOL_FRAGMENT:
                if be16(h + 2) & 0xFFF8:
                    break
                size = 8
            elif (kind == PROTOCOL_HOP_BY_HOP or kind == PROTOCOL_ROUTING
                    or kind == PROTOCOL_DESTINATION_OPTIONS):
                size = (h[1] + 1) * 8
            else:
                break
            if take(&p.body, size) == NULL:
                break
            kind = h[0]
    q = p.body.at
    if (kind != PROTOCOL_UDP and kind != PROTOCOL_TCP) or not has(&p.body, 4):
        return False
    if not is_dns(dns_ports, be16(q), be16(q + 2)):
        return False
    e = event_log_add(events)
    if e == NULL:
        return True
    e.kind = EVENT_ICMP_ERROR
    e.code = be16(icmp_header)  # type, code
    e.time = frame.time
    e.frame = frame.number
    e.source = frame.source
    memcpy(e.src, ends.src, 16)
    memcpy(e.dst, ends.dst, 16)
    memcpy(e.quoted_src, quoted.src, 16)
    memcpy(e.quoted_dst, quoted.dst, 16)
    e.quoted_src_port = be16(q)
    e.quoted_dst_port = be16(q + 2)
    e.transport = TRANSPORT_TCP if kind == PROTOCOL_TCP else TRANSPORT_UDP
    # a TCP segment may start anywhere in a message: nothing is quoted from it
    if kind == PROTOCOL_UDP and take(&p.body, 8) != NULL:
        size = <uint32_t>left(&p.body)
        if be16(q + 4) >= 8 and be16(q + 4) - 8 < size:
            size = be16(q + 4) - 8
        if size > QUOTE_ROOM:
            size = QUOTE_ROOM
        e.octets = size
        e.quote_size = <uint16_t>size
        memcpy(e.quote, p.body.at, size)
    return True


cdef inline bint within(int64_t since, int64_t now, int64_t span) noexcept nogil:
    """Whether `now` is at most `span` after `since`.  Times come from the input and may be any number."""
    return now >= since and <uint64_t>now - <uint64_t>since <= <uint64_t>span


cdef inline ArpSlot* arp_slot(ArpTable* table, uint32_t address) noexcept nogil:
    """Where an address is remembered; another one with the same slot takes its place."""
    return &table.slots[(address * <uint32_t>0x9E3779B1) >> 23]


cdef void note_arp(ArpTable* table, Packet* p, const Frame* frame, EventLog* events) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 28)
    cdef ArpSlot* slot
    cdef Event* e
    cdef uint32_t asked, asker
    cdef int64_t now = frame.time
    if h == NULL or be16(h + 2) != TYPE_IP4 or h[4] != 6 or h[5] != 4:
        return
    asker = load32(h + 14)
    asked = load32(h + 24)
    # whoever sends is there
    slot = arp_slot(table, asker)
    if slot.asked == asker:
        slot.tries = 0
    # probes (RFC 5227) and announcements expect no reply
    if be16(h + 6) != 1 or asker == 0 or asker == asked:
        return
    slot = arp_slot(table, asked)
    if (slot.tries == 0 or slot.asked != asked or slot.asker != asker
            or not within(slot.first, now, ARP_WINDOW)):
        slot.asked = asked
        slot.asker = asker
        slot.tries = 1
        slot.first = slot.latest = now
        return
    if within(slot.latest, now, ARP_APART):
        return
    slot.latest = now
    slot.tries += 1
    if slot.tries < ARP_TRIES:
        return
    slot.tries = 0
    e = event_log_add(events)
    if e == NULL:
        return
    e.kind = EVENT_ARP_FAILURE
    e.time = now
    e.frame = frame.number
    e.source = frame.source
    e.src[1] = e.quoted_src[1] = mapped_ip4(h + 14)
    e.dst[1] = e.quoted_dst[1] = mapped_ip4(h + 24)
