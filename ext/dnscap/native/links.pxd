"""Link layers: from the first octet of a frame, or of an encapsulated one, to the IP packet inside."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.octets cimport Octets, load32, load64

cdef enum Link:                # LINKTYPE_ values as pcap files hold them, https://www.tcpdump.org/linktypes.html
    LINK_NULL = 0
    LINK_ETHERNET = 1
    LINK_EXPERIMENTAL_ETHERNET = 2
    LINK_SLIP = 8
    LINK_PPP = 9
    LINK_FDDI = 10
    LINK_RAW_BSD = 12
    LINK_RAW_OPENBSD = 14
    LINK_PPP_HDLC = 50
    LINK_PPP_ETHER = 51
    LINK_ATM_RFC1483 = 100
    LINK_RAW = 101
    LINK_C_HDLC = 104
    LINK_IEEE802_11 = 105
    LINK_FRELAY = 107
    LINK_LOOP = 108
    LINK_ENC = 109
    LINK_LINUX_SLL = 113
    LINK_PFLOG = 117
    LINK_IEEE802_11_PRISM = 119
    LINK_IEEE802_11_RADIOTAP = 127
    LINK_ARCNET_LINUX = 129
    LINK_IEEE802_11_AVS = 163
    LINK_PPP_PPPD = 166
    LINK_PPI = 192
    LINK_PPP_WITH_DIR = 204
    LINK_C_HDLC_WITH_DIR = 205
    LINK_IPNET = 226
    LINK_IPV4 = 228
    LINK_IPV6 = 229
    LINK_NFLOG = 239
    LINK_LINUX_SLL2 = 276

cdef enum:
    TYPE_IP4 = 0x0800
    TYPE_ARP = 0x0806
    TYPE_BRIDGED = 0x6558      # transparent Ethernet bridging, in GRE and Geneve
    TYPE_IP6 = 0x86DD
    MOST_DEPTH = 8             # encapsulations (tunnels, pseudowires) followed in one frame; real ones nest two or three deep
    MOST_LAYERS = 32           # times that an EtherType led on in one frame: no chain of headers can nest calls without end

cdef enum Layer:
    LAYER_IP = 0               # the body is an IP packet, either version
    LAYER_ARP = 1              # the body is an ARP packet
    LAYER_OTHER = 2            # something else, or cut before it could be told
    LAYER_UNKNOWN = 3          # a link type that is not supported
    LAYER_DEEP = 4             # nested deeper than MOST_DEPTH

cdef struct Packet:            # what is left of a frame while its layers are taken off
    Octets body                # captured octets
    uint64_t place             # as in Datagram
    uint64_t missing           # octets that follow the body on the wire and are not in the capture
    uint32_t interface
    uint32_t frames            # how many frames carried it: more than one after IP reassembly
    uint32_t depth             # encapsulations taken off
    uint32_t layers            # EtherTypes followed
    uint8_t direction

cdef inline uint64_t mix(uint64_t place, uint64_t what) noexcept nogil:
    """Fold one more mark of the place where a frame was seen into `place`."""
    place = (place ^ what) * <uint64_t>0x9E3779B97F4A7C15
    return place ^ (place >> 29)

cdef inline uint64_t mac_place(const uint8_t* macs) noexcept nogil:
    """Both addresses of an Ethernet header in one number; 0 for the zero addresses of a loopback interface."""
    return mix(load64(macs) * <uint64_t>0xD6E8FEB86659FD93, load32(macs + 8))

cdef inline void promise(Packet* p, uint64_t size) noexcept nogil:
    """Say that the body is `size` octets on the wire: what lies behind is padding, what is not there was not captured."""
    cdef uint64_t have = <uint64_t>(p.body.end - p.body.at)
    if size <= have:
        p.body.end = p.body.at + size
        p.missing = 0
    else:
        p.missing = size - have

cdef inline uint64_t on_wire(const Packet* p) noexcept nogil:
    return <uint64_t>(p.body.end - p.body.at) + p.missing

# Each takes off all layers down to an IP or ARP packet and returns a Layer.
cdef int link_layer(uint16_t link, Packet* p) noexcept nogil
cdef int ethernet_layer(Packet* p) noexcept nogil
cdef int typed_layer(uint32_t kind, Packet* p) noexcept nogil      # the body follows an EtherType
cdef int ppp_layer(Packet* p) noexcept nogil                       # the body starts with a PPP protocol number
cdef bint ethernet_likely(const Packet* p) noexcept nogil          # the body may be an Ethernet frame that carries IP or ARP
