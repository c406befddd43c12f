"""Link layers, taken off out of line: everything that the walk's fast path does not know by sight.

Works on a `Packet`: a cursor over captured octets.  Every step asks for its octets first, so a frame
cut anywhere ends as LAYER_OTHER.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN
from dnscap.native.octets cimport be16, be32, has, le16, le32, le64, left, take
from dnscap.native.packets cimport Packet, mac_place, mix, on_wire, promise
from dnscap.native.rare_links cimport (
    TYPE_BARE_IP,
    TYPE_LLC,
    TYPE_NONE,
    TYPE_UNKNOWN,
    TYPE_WIRELESS,
    rare_link,
    shim,
)

cdef enum:
    MOST_TAGS = 8              # VLAN tags in a row; provider networks use two
    MOST_LABELS = 16           # MPLS labels in a row
    MOST_ATTRIBUTES = 64       # attributes of an NFLOG packet before its payload


cdef inline uint64_t address_place(const uint8_t* address, uint32_t size) noexcept nogil:
    """Place by the link address of a cooked header, of whose eight octets only `size` mean something."""
    cdef uint64_t value = le64(address)
    if size < 8:
        value &= (<uint64_t>1 << (8 * size)) - 1
    return mix(0, value)


cdef inline void set_direction(Packet* p, uint8_t direction) noexcept nogil:
    """What the file says of the direction comes before what the link header says."""
    if p.direction == DIRECTION_UNKNOWN:
        p.direction = direction


cdef int by_version(Packet* p) noexcept nogil:
    cdef int version
    if not has(&p.body, 1):
        return LAYER_OTHER
    version = p.body.at[0] >> 4
    return LAYER_IP if version == 4 or version == 6 else LAYER_OTHER


cdef int logical_link(Packet* p) noexcept nogil:
    """IEEE 802.2 LLC, with or without SNAP (RFC 1042)."""
    cdef const uint8_t* h = take(&p.body, 3)
    if h == NULL:
        return LAYER_OTHER
    if h[0] == 0x06 and h[1] == 0x06:
        return by_version(p)
    if h[0] != 0xAA or h[1] != 0xAA:
        return LAYER_OTHER
    return subnetwork(p, 2)


cdef int subnetwork(Packet* p, uint32_t padding) noexcept nogil:
    """What SNAP says after LLC, or after the network layer protocol of frame relay (RFC 2427 section 4.2)."""
    cdef const uint8_t* h = take(&p.body, 5)
    cdef uint32_t oui
    if h == NULL:
        return LAYER_OTHER
    oui = be32(h) >> 8
    if oui == 0x0080C2 and (be16(h + 3) == 0x0001 or be16(h + 3) == 0x0007):
        # bridged Ethernet, with and without FCS; two octets of padding are in front in RFC 2684
        if take(&p.body, padding) == NULL:
            return LAYER_OTHER
        return typed_layer(TYPE_BRIDGED, p)
    if oui != 0 and oui != 0x0000F8:
        return LAYER_OTHER
    return typed_layer(be16(h + 3), p)


cdef int pppoe_layer(Packet* p) noexcept nogil:
    """RFC 2516 section 4; the body starts with the PPPoE header."""
    cdef const uint8_t* h = take(&p.body, 6)
    cdef uint32_t size
    if h == NULL or h[0] != 0x11 or h[1] != 0:
        return LAYER_OTHER
    size = be16(h + 4)
    if size < on_wire(p):
        promise(p, size)
    return ppp_layer(p)


cdef int ppp_layer(Packet* p) noexcept nogil:
    """RFC 1661 section 2, with the protocol number in one octet or two."""
    cdef const uint8_t* h
    cdef uint32_t protocol
    if has(&p.body, 2) and p.body.at[0] == 0xFF and p.body.at[1] == 0x03:
        p.body.at += 2
    h = take(&p.body, 1)
    if h == NULL:
        return LAYER_OTHER
    protocol = h[0]
    if protocol & 1 == 0:
        h = take(&p.body, 1)
        if h == NULL:
            return LAYER_OTHER
        protocol = protocol << 8 | h[0]
    if protocol == 0x0021 or protocol == 0x0057:
        return by_version(p)
    if protocol == 0x0281 or protocol == 0x0283:
        return typed_layer(0x8847, p)
    return LAYER_OTHER


cdef int cisco_hdlc(Packet* p) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 4)
    if h == NULL:
        return LAYER_OTHER
    return typed_layer(be16(h + 2), p)


cdef int label_stack(Packet* p) noexcept nogil:
    """MPLS (RFC 3032): nothing says what is inside but its first four bits (RFC 4928)."""
    cdef const uint8_t* h
    cdef int _i
    for _i in range(MOST_LABELS):
        h = take(&p.body, 4)
        if h == NULL:
            return LAYER_OTHER
        if h[2] & 1:
            if by_version(p) == LAYER_IP:
                return LAYER_IP
            # RFC 4448: an Ethernet pseudowire with a control word, whose first four bits are 0
            h = take(&p.body, 4)
            if h == NULL or h[0] >> 4 != 0 or not ethernet_likely(p):
                return LAYER_OTHER
            return typed_layer(TYPE_BRIDGED, p)
    return LAYER_OTHER


cdef int typed_layer(uint32_t kind, Packet* p) noexcept nogil:
    cdef const uint8_t* h
    cdef int _i
    p.layers += 1
    if p.layers > MOST_LAYERS:
        return LAYER_DEEP
    for _i in range(MOST_TAGS + 1):
        if kind == TYPE_IP4 or kind == TYPE_IP6 or kind == TYPE_BARE_IP:
            return by_version(p)
        if kind == TYPE_ARP:
            return LAYER_ARP
        if kind == TYPE_LLC:
            return logical_link(p)
        if kind == TYPE_WIRELESS:
            return wireless(p)
        if kind <= 1500:
            if kind < on_wire(p):
                promise(p, kind)
            return logical_link(p)
        if kind == 0x8847 or kind == 0x8848:
            return label_stack(p)
        if kind == 0x8864:
            return pppoe_layer(p)
        if kind == 0x880B:
            return ppp_layer(p)
        if kind == TYPE_BRIDGED or kind == 0x88E7:
            # provider backbone: the service tag, IEEE 802.1ah
            if kind == 0x88E7 and take(&p.body, 4) == NULL:
                return LAYER_OTHER
            p.depth += 1
            if p.depth > MOST_DEPTH:
                return LAYER_DEEP
            return ethernet_layer(p)
        if kind != 0x8100 and kind != 0x88A8 and kind != 0x9100 and kind != 0x9200 and kind != 0x9300:
            kind = shim(kind, p)
            if kind <= 1500:
                return LAYER_OTHER
            continue
        h = take(&p.body, 4)
        if h == NULL:
            return LAYER_OTHER
        p.place = mix(p.place, 1 + (be16(h) & 0xFFF))
        kind = be16(h + 2)
    return LAYER_OTHER


cdef int ethernet_layer(Packet* p) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 14)
    if h == NULL:
        return LAYER_OTHER
    # an encapsulated frame keeps the place of the one around it
    p.place = mac_place(h) if p.place == 0 else mix(p.place, mac_place(h))
    return typed_layer(be16(h + 12), p)


cdef bint ethernet_likely(const Packet* p) noexcept nogil:
    cdef const uint8_t* h = p.body.at
    cdef size_t have = left(&p.body)
    cdef size_t at = 12
    cdef uint32_t kind
    cdef int _i
    for _i in range(MOST_TAGS + 1):
        if have < at + 3:
            return False
        kind = be16(h + at)
        at += 2
        if kind == TYPE_IP4:
            return h[at] >> 4 == 4
        if kind == TYPE_IP6:
            return h[at] >> 4 == 6
        if kind == TYPE_ARP:
            return h[at] == 0
        if kind == 0x8847 or kind == 0x8848 or kind == 0x8864:
            return True
        if kind != 0x8100 and kind != 0x88A8 and kind != 0x9100 and kind != 0x9200:
            return False
        at += 2
    return False


cdef int address_family(uint32_t family, Packet* p) noexcept nogil:
    """Address families of all systems that write loopback captures: AF_INET is 2, AF_INET6 varies."""
    if family > 0xFFFF:        # written in the other byte order
        family = family >> 24 | (family >> 8 & 0xFF00)
    if (family == 2 or family == 10 or family == 23 or family == 24 or family == 26
            or family == 28 or family == 30):
        return by_version(p)
    return LAYER_OTHER


cdef int wireless(Packet* p) noexcept nogil:
    """IEEE 802.11: data frames that are not encrypted."""
    cdef const uint8_t* h
    cdef const uint8_t* addresses
    cdef uint32_t control, qos = 0
    h = take(&p.body, 24)
    if h == NULL:
        return LAYER_OTHER
    control = le16(h)
    if control & 0x0C != 0x08 or control & 0x40 or control & 0x4000:   # not data; null data; protected
        return LAYER_OTHER
    addresses = h + 4
    p.place = mix(mac_place(addresses), le32(addresses + 12))
    # between two access points: a fourth address
    if control & 0x300 == 0x300 and take(&p.body, 6) == NULL:
        return LAYER_OTHER
    if control & 0x80:
        h = take(&p.body, 2)
        if h == NULL:
            return LAYER_OTHER
        qos = le16(h)
        if control & 0x8000 and take(&p.body, 4) == NULL:              # HT control
            return LAYER_OTHER
    if qos & 0x80:
        # an A-MSDU: the first of the frames gathered in it
        h = take(&p.body, 14)
        if h == NULL:
            return LAYER_OTHER
        if be16(h + 12) < on_wire(p):
            promise(p, be16(h + 12))
    return logical_link(p)


cdef int radiotap(Packet* p) noexcept nogil:
    """radiotap.org: a header of its own length; of its fields only the flags matter here."""
    cdef const uint8_t* h = p.body.at
    cdef uint32_t size, present, at, flags = 0
    cdef const uint8_t* fixed
    if not has(&p.body, 8) or h[0] != 0:
        return LAYER_OTHER
    size = le16(h + 2)
    if size < 8 or take(&p.body, size) == NULL:
        return LAYER_OTHER
    present = le32(h + 4)
    at = 8
    while at + 4 <= size and le32(h + at - 4) >> 31:                   # further words of the bitmap
        at += 4
    if present & 1:                                                    # a time stamp of eight octets, aligned
        at = (at + 7) & ~<uint32_t>7
        at += 8
    if present & 2 and at < size:
        flags = h[at]
    if flags & 0x20 and has(&p.body, 26):
        # padding between the 802.11 header and its payload: the header's end moves up to a multiple of four
        fixed = p.body.at
        return padded_wireless(p, fixed)
    return wireless(p)


cdef int padded_wireless(Packet* p, const uint8_t* h) noexcept nogil:
    cdef uint32_t control = le16(h), size = 24
    if control & 0x300 == 0x300:
        size += 6
    if control & 0x88 == 0x88:
        size += 2
        if control & 0x8000:
            size += 4
    if control & 0x0C != 0x08 or control & 0x40 or control & 0x4000:
        return LAYER_OTHER
    p.place = mix(mac_place(h + 4), le32(h + 16))
    if take(&p.body, (size + 3) & ~<uint32_t>3) == NULL:
        return LAYER_OTHER
    return logical_link(p)


cdef int avs(Packet* p) noexcept nogil:
    cdef uint32_t size
    if not has(&p.body, 8):
        return LAYER_OTHER
    size = be32(p.body.at + 4)
    if size < 8 or take(&p.body, size) == NULL:
        return LAYER_OTHER
    return wireless(p)


cdef int prism(Packet* p) noexcept nogil:
    cdef uint32_t cookie, size
    if not has(&p.body, 8):
        return LAYER_OTHER
    cookie = be32(p.body.at)
    # drivers that write AVS under this link type
    if cookie >> 4 == 0x8021100:
        return avs(p)
    size = le32(p.body.at + 4)
    # in the byte order of the machine that wrote it
    if size > 0xFFFF:
        size = be32(p.body.at + 4)
    if size < 8 or take(&p.body, size) == NULL:
        return LAYER_OTHER
    return wireless(p)


cdef int nflog(Packet* p) noexcept nogil:
    """Attributes as netfilter gives them; the packet is the value of one of them."""
    cdef const uint8_t* h = take(&p.body, 4)
    cdef uint32_t size, kind
    cdef bint big = False
    cdef int _i
    if h == NULL or h[1] != 0 or (h[0] != 2 and h[0] != 10):
        return LAYER_OTHER
    if has(&p.body, 4):
        # byte order of the machine that wrote it: lengths are small, so that only one order makes sense
        big = le16(p.body.at) > be16(p.body.at)
    for _i in range(MOST_ATTRIBUTES):
        h = take(&p.body, 4)
        if h == NULL:
            return LAYER_OTHER
        size = be16(h) if big else le16(h)
        kind = (be16(h + 2) if big else le16(h + 2)) & 0x7FFF
        if size < 4:
            return LAYER_OTHER
        if kind == 9:                                                  # NFULA_PAYLOAD
            if size - 4 < on_wire(p):
                promise(p, size - 4)
            return by_version(p)
        if take(&p.body, (size - 1) & ~<uint32_t>3) == NULL:           # size - 4, up to a multiple of four
            return LAYER_OTHER
    return LAYER_OTHER


cdef int arcnet(Packet* p) noexcept nogil:
    """ARCNET as Linux gives it (RFC 1201, RFC 1051)."""
    cdef const uint8_t* h = take(&p.body, 5)
    if h == NULL:
        return LAYER_OTHER
    p.place = mix(0, 1 + be16(h))
    if h[4] == 240:
        return by_version(p)
    if h[4] != 212 and h[4] != 196:
        return LAYER_OTHER
    if has(&p.body, 1) and p.body.at[0] == 0xFF and take(&p.body, 4) == NULL:     # an exception packet
        return LAYER_OTHER
    if take(&p.body, 3) == NULL:                                       # split flag, sequence number
        return LAYER_OTHER
    return by_version(p)


cdef int cooked(Packet* p) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 16)
    if h == NULL:
        return LAYER_OTHER
    set_direction(p, DIRECTION_OUT if be16(h) == 4 or be16(h + 2) == ARPHRD_LOOPBACK else DIRECTION_IN)
    p.place = address_place(h + 6, be16(h + 4))
    # protocols below 1536 name frame kinds (linux/if_ether.h); 4 is 802.2 LLC
    if be16(h + 14) == 4:
        return logical_link(p)
    return typed_layer(be16(h + 14), p) if be16(h + 14) > 1500 else LAYER_OTHER


cdef int cooked2(Packet* p) noexcept nogil:
    cdef const uint8_t* h = take(&p.body, 20)
    if h == NULL:
        return LAYER_OTHER
    set_direction(p, DIRECTION_OUT if h[10] == 4 or be16(h + 8) == ARPHRD_LOOPBACK else DIRECTION_IN)
    p.interface = be32(h + 4)
    p.place = address_place(h + 12, h[11])
    if be16(h) == 4:
        return logical_link(p)
    return typed_layer(be16(h), p) if be16(h) > 1500 else LAYER_OTHER


cdef int link_layer(uint16_t link, Packet* p) noexcept nogil:
    cdef const uint8_t* h
    cdef uint32_t size
    if link == LINK_PPI:
        # the header says which link layer follows; one PPI header in another makes no sense and is not
        # followed
        h = p.body.at
        if not has(&p.body, 8):
            return LAYER_OTHER
        size = le16(h + 2)
        if size < 8 or take(&p.body, size) == NULL or le32(h + 4) > 0xFFFF:
            return LAYER_OTHER
        link = <uint16_t>le32(h + 4)
    elif link == LINK_PKTAP:
        # what systems of Apple put in front: length, kind of record, link layer, interface, flags
        h = p.body.at
        if not has(&p.body, 40) or le32(h + 4) != 1 or le32(h) < 40 or le32(h + 8) > 0xFFFF:
            return LAYER_OTHER
        if take(&p.body, le32(h)) == NULL:
            return LAYER_OTHER
        if le32(h + 36) & 3:
            set_direction(p, DIRECTION_IN if le32(h + 36) & 1 else DIRECTION_OUT)
        link = <uint16_t>le32(h + 8)
    if link == LINK_ETHERNET or link == LINK_EXPERIMENTAL_ETHERNET:
        return ethernet_layer(p)
    if link == LINK_LINUX_SLL:
        return cooked(p)
    if link == LINK_LINUX_SLL2:
        return cooked2(p)
    if (link == LINK_RAW or link == LINK_IPV4 or link == LINK_IPV6
            or link == LINK_RAW_BSD or link == LINK_RAW_OPENBSD):
        return by_version(p)
    if link == LINK_NULL or link == LINK_LOOP:
        h = take(&p.body, 4)
        if h == NULL:
            return LAYER_OTHER
        if be16(h + 2) == TYPE_IP4 or be16(h + 2) == TYPE_IP6:         # writers that put an EtherType there
            return by_version(p)
        return address_family(le32(h), p)
    if link == LINK_IEEE802_11_RADIOTAP:
        return radiotap(p)
    if link == LINK_IEEE802_11:
        return wireless(p)
    if link == LINK_IEEE802_11_PRISM:
        return prism(p)
    if link == LINK_IEEE802_11_AVS:
        return avs(p)
    if link == LINK_PPP or link == LINK_PPP_HDLC:
        # RFC 1662 framing starts with FF; Cisco's with 0F (unicast) or 8F (broadcast)
        if has(&p.body, 1) and (p.body.at[0] == 0x0F or p.body.at[0] == 0x8F):
            return cisco_hdlc(p)
        return ppp_layer(p)
    if link == LINK_PPP_ETHER:
        return pppoe_layer(p)
    if link == LINK_C_HDLC:
        return cisco_hdlc(p)
    if link == LINK_PPP_WITH_DIR or link == LINK_PPP_PPPD or link == LINK_C_HDLC_WITH_DIR:
        h = take(&p.body, 1)
        if h == NULL:
            return LAYER_OTHER
        set_direction(p, DIRECTION_OUT if h[0] else DIRECTION_IN)
        return cisco_hdlc(p) if link == LINK_C_HDLC_WITH_DIR else ppp_layer(p)
    if link == LINK_FRELAY:
        # RFC 2427: Q.922 address, control, network layer protocol
        h = take(&p.body, 4)
        if h == NULL or h[2] != 0x03:
            return LAYER_OTHER
        if h[3] == 0xCC or h[3] == 0x8E:
            return by_version(p)
        if h[3] == 0x00:       # padding
            h = take(&p.body, 1)
            return subnetwork(p, 0) if h != NULL and h[0] == 0x80 else LAYER_OTHER
        return subnetwork(p, 0) if h[3] == 0x80 else LAYER_OTHER
    if link == LINK_PFLOG:
        h = p.body.at
        if not has(&p.body, 2):
            return LAYER_OTHER
        size = (<uint32_t>h[0] + 3) & ~<uint32_t>3
        if size < 4 or take(&p.body, size) == NULL:
            return LAYER_OTHER
        if size > 60 and (h[60] == 1 or h[60] == 2):
            set_direction(p, DIRECTION_IN if h[60] == 1 else DIRECTION_OUT)
        return address_family(h[1], p)
    if link == LINK_ENC:
        h = take(&p.body, 12)
        return LAYER_OTHER if h == NULL else address_family(le32(h), p)
    if link == LINK_NFLOG:
        return nflog(p)
    if link == LINK_IPNET:
        h = take(&p.body, 24)
        if h == NULL:
            return LAYER_OTHER
        p.interface = be32(h + 8)
        return by_version(p)
    if link == LINK_FDDI:
        h = take(&p.body, 13)
        if h == NULL:
            return LAYER_OTHER
        p.place = mac_place(h + 1)
        return logical_link(p)
    if link == LINK_ATM_RFC1483:
        return logical_link(p)
    if link == LINK_SLIP:
        h = take(&p.body, 16)
        if h == NULL:
            return LAYER_OTHER
        set_direction(p, DIRECTION_OUT if h[0] else DIRECTION_IN)
        return by_version(p)
    if link == LINK_ARCNET_LINUX:
        return arcnet(p)
    size = rare_link(link, p)
    if size == TYPE_UNKNOWN:
        return LAYER_UNKNOWN
    return LAYER_OTHER if size == TYPE_NONE else ethernet_layer(p) if size == TYPE_BRIDGED else typed_layer(size, p)
