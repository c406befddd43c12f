"""Looking ahead; see ahead.pxd.

Each thing that a happening touches leads to the next, and few of them are in the cache: a name's text and hash, the chain of
lookups with this name, the client and its latest lookup; of an answer, the row, the lookup's place and the lookup.  A stride of
happenings takes these steps together, so that what one of them waits for comes while the others take theirs.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.acquaintances cimport Client
from dnscap.native.assembly cimport LABELLED_AT, Asked
from dnscap.native.attempts cimport Lookup
from dnscap.native.exchange_index cimport WireHashes
from dnscap.native.exchanges cimport HAPPENED_EXPIRED, HAPPENED_QUERY, NO_LOOKUP, Happening, lookup_in
from dnscap.native.interning cimport NO_CODE, NameTable, prefetch
from dnscap.native.lookup_index cimport name_key
from dnscap.native.lookups_by_name cimport first_of, place_at
from dnscap.native.message_columns cimport HAS_NAME, MessageColumns
from dnscap.native.open_lookups cimport open_lookup
from dnscap.native.upstreams cimport UPSTREAM_SLOTS


cdef inline const Client* client_seen(const Assembly* t, uint32_t address) noexcept nogil:
    """Where the client with this address was seen last, if that is a place at all."""
    cdef uint32_t place = t.faces[address].place
    return &t.known.clients[place] if place <= t.known.client_mask else NULL


cdef void look_ahead(Assembly* t, Exchanges exchanges, Batch batch, uint32_t first, Ahead* ahead) noexcept nogil:
    cdef const Happening* happenings = exchanges.happenings + first
    cdef const WireHashes* wire = &exchanges.table.wire
    cdef const MessageColumns* c
    cdef const NameTable* names
    cdef const Happening* h
    cdef const Client* client
    cdef const Lookup* l
    cdef Asked* q
    cdef uint32_t i, code, count
    cdef const uint64_t* addresses
    if first >= exchanges.happening_count:
        return
    count = min(exchanges.happening_count - first, <uint32_t>FAR)
    ahead += first & FAR
    if batch is None:
        for i in range(count):
            ahead[i].lookup = NO_LOOKUP
        return
    c = &batch.columns
    names = &batch.dictionary.names
    addresses = batch.dictionary.addresses.keys
    for i in range(count):
        h = &happenings[i]
        ahead[i].lookup = NO_LOOKUP
        if h.kind == HAPPENED_QUERY:
            code = c.qname[h.row] if c.presence[h.row] & HAS_NAME else NO_CODE
            ahead[i].asked.code = code
            if code != NO_CODE:
                prefetch(&names.text_offsets[code])
                prefetch(&wire.names[code])
            prefetch(&t.faces[c.src[h.row]])
            prefetch(&wire.addresses[c.src[h.row]])
            prefetch(addresses + 2 * <size_t>c.src[h.row])
            prefetch(addresses + 2 * <size_t>c.dst[h.row])
        elif h.kind <= HAPPENED_EXPIRED:
            ahead[i].lookup = lookup_in(exchanges.table, h.exchange)
            if ahead[i].lookup != NO_LOOKUP:
                prefetch(&t.ring[ahead[i].lookup & t.ring_mask])
            else:
                prefetch(&t.upstream.slots[h.exchange & (UPSTREAM_SLOTS - 1)])
    for i in range(count):
        h = &happenings[i]
        if h.kind == HAPPENED_QUERY:
            q = &ahead[i].asked
            if q.code != NO_CODE:
                q.name = <const uint8_t*>names.text + names.text_offsets[q.code]
                q.size = names.text_offsets[q.code + 1] - names.text_offsets[q.code]
                q.text = wire.names[q.code]
                prefetch(q.name)
            else:
                q.name = NULL
                q.size = 0
                q.text = 0
            q.client = wire.addresses[c.src[h.row]]
            q.by_name = name_key(q.client, q.text)
            prefetch(&t.heads[<uint32_t>q.by_name & t.head_mask])
            prefetch(&t.labelled_at[q.client & (LABELLED_AT - 1)])
            client = client_seen(t, c.src[h.row])
            if client != NULL:
                prefetch(client)
                prefetch(<const uint8_t*>client + sizeof(Client) - 1)
        elif ahead[i].lookup != NO_LOOKUP:
            l = open_lookup(t, ahead[i].lookup)
            if l != NULL:
                prefetch(&l.number)
                prefetch(&l.client_hash)
                prefetch(&l.candidate_count)
                prefetch(l.few_attempts)
                prefetch(<const uint8_t*>l.few_attempts + 64)
                prefetch(l.few_record_octets)
    for i in range(count):
        h = &happenings[i]
        if h.kind == HAPPENED_QUERY:
            prefetch(place_at(t, first_of(t, ahead[i].asked.by_name)))
            client = client_seen(t, c.src[h.row])
            if client != NULL:
                prefetch(&t.ring[client.latest & t.ring_mask])
        elif ahead[i].lookup != NO_LOOKUP:
            # Its neighbours in the list that it leaves.
            l = open_lookup(t, ahead[i].lookup)
            if l != NULL and l.earlier != NULL:
                prefetch(&l.earlier.number)
            if l != NULL and l.later != NULL:
                prefetch(&l.later.number)
    for i in range(count):
        h = &happenings[i]
        if h.kind == HAPPENED_QUERY:
            # The lookup that the client's next one is compared with.
            client = client_seen(t, c.src[h.row])
            l = open_lookup(t, client.latest) if client != NULL else NULL
            if l != NULL:
                prefetch(&l.client_hash)
                prefetch(&l.candidate_count)
                prefetch(l.few_attempts)
