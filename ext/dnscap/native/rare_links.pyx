"""Headers that few captures have; see rare_links.pxd."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from dnscap.native.octets cimport be16, has, take
from dnscap.native.packets cimport Packet, mac_place

cdef enum:
    LINK_TOKEN_RING = 6
    LINK_IP_OVER_FC = 122
    LINK_SUNATM = 123
    LINK_IEEE1394 = 138
    LINK_IPOIB = 242
    LINK_DSA_BRCM = 281
    LINK_DSA_BRCM_PREPEND = 282
    LINK_DSA = 283
    LINK_DSA_EDSA = 284
    TYPE_BRIDGED = 0x6558
    SHIM_TRILL = 0x22F3
    SHIM_BATMAN = 0x4305
    SHIM_MACSEC = 0x88E5
    SHIM_CISCO = 0x8909
    SHIM_VNTAG = 0x8926
    SHIM_HSR = 0x892F
    SHIM_NSH = 0x894F
    SHIM_EDSA = 0xDADA


cdef uint32_t rare_link(uint16_t link, Packet* p) noexcept nogil:
    cdef const uint8_t* h
    if link == LINK_DSA_BRCM or link == LINK_DSA:
        # the tag of an Ethernet switch stands between addresses and EtherType
        h = take(&p.body, 18)
        if h == NULL:
            return TYPE_NONE
        p.place = mac_place(h)
        return be16(h + 16)
    if link == LINK_DSA_BRCM_PREPEND:
        return TYPE_BRIDGED if take(&p.body, 4) != NULL else TYPE_NONE
    if link == LINK_DSA_EDSA:
        return TYPE_BRIDGED    # Ethernet with an EtherType of its own
    if link == LINK_TOKEN_RING:
        return token_ring(p)
    if link == LINK_IP_OVER_FC:
        return TYPE_LLC if take(&p.body, 16) != NULL else TYPE_NONE    # RFC 2625 section 3
    if link == LINK_SUNATM:
        h = take(&p.body, 4)
        if h == NULL:
            return TYPE_NONE
        if h[0] & 15 == 1:     # LAN emulation: the number of the client, an Ethernet frame
            return TYPE_BRIDGED if take(&p.body, 2) != NULL else TYPE_NONE
        return TYPE_LLC if h[0] & 15 == 2 else TYPE_NONE
    if link == LINK_IEEE1394:
        h = take(&p.body, 18)
        return TYPE_NONE if h == NULL else be16(h + 16)
    if link == LINK_IPOIB:
        h = take(&p.body, 44)  # a global routing header, then that of RFC 4391 section 6
        return TYPE_NONE if h == NULL else be16(h + 40)
    return TYPE_UNKNOWN


cdef uint32_t token_ring(Packet* p) noexcept nogil:
    """IEEE 802.5: access and frame control, addresses, and a route where the source address says so."""
    cdef const uint8_t* h = take(&p.body, 14)
    if h == NULL or h[1] & 0xC0 != 0x40:
        return TYPE_NONE
    p.place = mac_place(h + 2)
    if h[8] & 0x80 and (not has(&p.body, 2) or take(&p.body, p.body.at[0] & 31) == NULL):
        return TYPE_NONE
    return TYPE_LLC


cdef uint32_t shim(uint32_t kind, Packet* p) noexcept nogil:
    cdef const uint8_t* h
    if kind == SHIM_VNTAG or kind == SHIM_HSR:
        # IEEE 802.1BR, IEC 62439-3: four octets
        h = take(&p.body, 6)
        return TYPE_NONE if h == NULL else be16(h + 4)
    if kind == SHIM_CISCO or kind == SHIM_EDSA:
        # metadata of one option; the tag of a switch
        h = take(&p.body, 8)
        if h == NULL or (kind == SHIM_CISCO and be16(h) != 0x0101):
            return TYPE_NONE
        return be16(h + 6)
    if kind == SHIM_NSH:
        return service_header(p)
    if kind == SHIM_MACSEC:
        # IEEE 802.1AE: neither encrypted nor changed; with an SCI or without
        h = take(&p.body, 6)
        if h == NULL or h[0] & 0x8C or (h[0] & 0x20 and take(&p.body, 8) == NULL):
            return TYPE_NONE
        h = take(&p.body, 2)
        return TYPE_NONE if h == NULL else be16(h)
    if kind == SHIM_TRILL:
        # RFC 6325 section 3: version 0, options in words of four octets
        h = take(&p.body, 6)
        if h == NULL or h[0] >> 6 or take(&p.body, (be16(h) >> 6 & 31) * 4) == NULL:
            return TYPE_NONE
        return TYPE_BRIDGED
    if kind == SHIM_BATMAN:
        return mesh(p)
    return TYPE_NONE


cdef uint32_t service_header(Packet* p) noexcept nogil:
    """RFC 8300 section 2.2: version 0, the length in words of four octets, what follows."""
    cdef const uint8_t* h = p.body.at
    if not has(&p.body, 8) or h[0] >> 6 or h[1] & 63 < 2 or take(&p.body, (h[1] & 63) * 4) == NULL:
        return TYPE_NONE
    if h[3] == 1 or h[3] == 2:
        return TYPE_BARE_IP
    if h[3] == 3:
        return TYPE_BRIDGED
    return SHIM_NSH if h[3] == 4 else 0x8847 if h[3] == 5 else TYPE_NONE


cdef uint32_t mesh(Packet* p) noexcept nogil:
    """batman-adv, version 15: frames to one node, with four addresses or not, and to all."""
    cdef const uint8_t* h = p.body.at
    cdef uint32_t size
    if not has(&p.body, 2) or h[1] != 15:
        return TYPE_NONE
    size = 10 if h[0] == 0x40 else 18 if h[0] == 0x42 else 14 if h[0] == 0x01 else 0
    return TYPE_BRIDGED if size and take(&p.body, size) != NULL else TYPE_NONE
