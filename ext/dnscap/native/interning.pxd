"""Interning of domain names and addresses: each distinct value once, rows refer to it by code.

A `Dictionary` holds one generation of both tables.  Its texts lie as Arrow lays out strings (octets and
32-bit offsets), so a batch exports its codes together with the dictionary without copying.  When a
generation is full the decoder closes the batch and starts a new one: a flood of random names stays bounded.
"""
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

cdef extern from "names.h" nogil:
    bint likely(bint x) noexcept
    bint unlikely(bint x) noexcept
    void prefetch(const void* p) noexcept
    uint64_t mix128(uint64_t a, uint64_t b) noexcept
    uint64_t fold_hash(const uint8_t* src, uint8_t* to, uint32_t size, uint64_t seed, uint64_t* capitals) noexcept
    bint same_octets(const uint8_t* a, const uint8_t* b, uint32_t size) noexcept
    uint32_t fold_name(const uint8_t* src, uint32_t most, uint8_t* to, uint64_t seed, uint64_t* hash,
                       uint64_t* capitals) noexcept
    void* big_alloc(size_t size) noexcept
    void* map_alloc(size_t size) noexcept
    void map_free(void* p) noexcept
    void* map_block(size_t size) noexcept
    void unmap_block(void* p, size_t size) noexcept
    void* big_grow(void* p, size_t used, size_t size) noexcept

cdef enum:
    NO_CODE = 0xFFFFFFFF
    ENTRY_ALIGN = 32           # arena references count in units of this, so 32 bits reach 128 GiB

cdef struct Slot:
    uint32_t tag
    uint32_t ref               # arena offset / ENTRY_ALIGN of names, code + 1 of addresses; 0 = empty

cdef struct Entry:             # a name in the arena; its folded wire octets follow
    uint32_t code
    uint32_t size

cdef struct NameTable:
    Slot* slots
    uint32_t mask
    uint32_t count
    uint32_t most              # names
    uint8_t* arena
    size_t used
    size_t room
    char* text
    int32_t* text_offsets      # count + 1
    size_t text_room
    uint64_t seed

cdef struct AddressTable:
    Slot* slots
    uint32_t mask
    uint32_t count
    uint64_t* keys             # two words an address
    uint32_t room
    char* text
    int32_t* text_offsets
    uint64_t seed

cdef class Dictionary:
    cdef NameTable names
    cdef AddressTable addresses

    # room for `names` more names of any size and `addresses` more addresses?
    cdef bint has_room(self, uint32_t names, uint32_t addresses) noexcept nogil

# The code of a folded wire name, entered if new; `verified` = its labels are known to be well formed.
# NO_CODE where it is new and not well formed, or without memory.
cdef uint32_t intern_name(NameTable* t, const uint8_t* name, uint32_t size, uint32_t tag, bint verified) noexcept nogil
cdef uint32_t intern_address(AddressTable* t, uint64_t a, uint64_t b) noexcept nogil
cdef bint well_formed(const uint8_t* name, uint32_t size) noexcept nogil

cdef inline const uint8_t* entry_octets(const Entry* e) noexcept nogil:
    return <const uint8_t*>e + sizeof(Entry)

cdef inline uint32_t candidate(const NameTable* t, uint32_t tag) noexcept nogil:
    """Arena reference of the first entry with this tag, or 0."""
    cdef uint32_t i = tag & t.mask
    while t.slots[i].ref != 0 and t.slots[i].tag != tag:
        i = (i + 1) & t.mask
    return t.slots[i].ref

cdef inline uint32_t address_tag(const AddressTable* t, uint64_t a, uint64_t b) noexcept nogil:
    cdef uint64_t h = mix128(a ^ t.seed, b ^ <uint64_t>0x8bb84b93962eacc9)
    return <uint32_t>(h ^ h >> 32)

cdef inline uint32_t find_address(AddressTable* t, uint64_t a, uint64_t b, uint32_t tag) noexcept nogil:
    """The code of an address whose tag is known, entered if new; NO_CODE where the table is full."""
    cdef uint32_t i = tag & t.mask, code
    while t.slots[i].ref != 0:
        if t.slots[i].tag == tag:
            code = t.slots[i].ref - 1
            if t.keys[2 * code] == a and t.keys[2 * code + 1] == b:
                return code
        i = (i + 1) & t.mask
    return intern_address(t, a, b)
