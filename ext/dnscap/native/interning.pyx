"""Tables of distinct names and addresses; see interning.pxd."""
cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import os

from dnscap.native.octets cimport PADDING
from dnscap.native.text cimport NAME_TEXT_ROOM, put_ipv4, put_ipv6, put_name

cdef enum:
    MOST_NAMES = 1 << 19           # codes of one generation: about 80 MiB of tables when names are of ordinary size
    LEAST_NAMES = 1 << 16          # what a generation may have at least: several times what is entered at a time
    ARENA_OCTETS = 96 << 20        # reserved, touched only as it fills
    TEXT_OCTETS = 128 << 20
    LONGEST_TEXT = NAME_TEXT_ROOM
    MOST_ADDRESSES = 1 << 19       # a flood of spoofed sources must not grow memory without end
    ADDRESS_TEXT = 48
    FIRST_SLOTS = 1 << 13


cdef bint well_formed(const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = 0
    if size > 255:
        return False
    while at < size and name[at] != 0:
        if name[at] > 63:
            return False
        at += name[at] + 1
    return at + 1 == size


cdef int grow_slots(Slot** slots, uint32_t* mask) noexcept nogil:
    cdef uint32_t wide = mask[0] * 4 + 3
    cdef Slot* old = slots[0]
    cdef Slot* new = <Slot*>map_alloc((<size_t>wide + 1) * sizeof(Slot))
    cdef uint32_t i, j
    if new == NULL:
        return -1
    for i in range(mask[0] + 1):
        if old[i].ref != 0:
            j = old[i].tag & wide
            while new[j].ref != 0:
                j = (j + 1) & wide
            new[j] = old[i]
    map_free(old)
    slots[0] = new
    mask[0] = wide
    return 0


cdef uint32_t intern_name(NameTable* t, const uint8_t* name, uint32_t size, uint32_t tag, bint verified) noexcept nogil:
    cdef uint32_t i = tag & t.mask
    cdef Entry* e
    cdef char* text
    while t.slots[i].ref != 0:
        if t.slots[i].tag == tag:
            e = <Entry*>(t.arena + <size_t>t.slots[i].ref * ENTRY_ALIGN)
            if e.size == size and same_octets(entry_octets(e), name, size):
                return e.code
        i = (i + 1) & t.mask
    if not verified and not well_formed(name, size):
        return NO_CODE
    if t.count >= t.most or t.used + 512 > t.room or t.text_offsets[t.count] + LONGEST_TEXT > t.text_room:
        return NO_CODE
    if <uint64_t>t.count * 2 > t.mask:
        if grow_slots(&t.slots, &t.mask) != 0:
            return NO_CODE
        i = tag & t.mask
        while t.slots[i].ref != 0:
            i = (i + 1) & t.mask
    e = <Entry*>(t.arena + t.used)
    e.code = t.count
    e.size = size
    memcpy(t.arena + t.used + sizeof(Entry), name, size)
    t.slots[i].tag = tag
    t.slots[i].ref = <uint32_t>(t.used // ENTRY_ALIGN)
    t.used += (sizeof(Entry) + size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
    text = t.text + t.text_offsets[t.count]
    t.count += 1
    t.text_offsets[t.count] = t.text_offsets[t.count - 1] + <int32_t>(put_name(<uint8_t*>text, name, size) - <uint8_t*>text)
    return e.code


cdef uint32_t intern_address(AddressTable* t, uint64_t a, uint64_t b) noexcept nogil:
    """Enter an address that `find_address` did not find."""
    cdef uint32_t tag, i, code = t.count
    cdef uint64_t[2] key
    cdef uint8_t* octets = <uint8_t*>key
    cdef uint8_t* to
    cdef uint8_t* end
    if code >= t.room:
        return NO_CODE
    if <uint64_t>code * 2 > t.mask and grow_slots(&t.slots, &t.mask) != 0:
        return NO_CODE
    tag = address_tag(t, a, b)
    i = tag & t.mask
    while t.slots[i].ref != 0:
        i = (i + 1) & t.mask
    t.slots[i].tag = tag
    t.slots[i].ref = code + 1
    t.keys[2 * code] = a
    t.keys[2 * code + 1] = b
    key[0] = a
    key[1] = b
    to = <uint8_t*>t.text + t.text_offsets[code]
    if a == 0 and octets[8] == 0 and octets[9] == 0 and octets[10] == 255 and octets[11] == 255:
        end = put_ipv4(to, octets + 12)
    else:
        end = put_ipv6(to, octets)
    t.count += 1
    t.text_offsets[t.count] = t.text_offsets[code] + <int32_t>(end - to)
    return code


@cython.final
cdef class TextView:
    """Octets or offsets of a dictionary, kept alive with it; for ``pyarrow.py_buffer``."""

    cdef Dictionary owner
    cdef const void* data
    cdef Py_ssize_t size

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = <void*>self.data
        buffer.obj = self
        buffer.len = self.size
        buffer.itemsize = 1
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = NULL
        buffer.shape = &self.size
        buffer.strides = &buffer.itemsize
        buffer.suboffsets = NULL
        buffer.internal = NULL


@cython.final
cdef class Dictionary:
    """One generation of distinct names and addresses.

    Parameters
    ----------
    most_names : int
        Names that it may hold, as far as tables allow.
    """

    def __cinit__(self, uint32_t most_names=MOST_NAMES):
        # Random seeds: which names collide must not be the choice of whoever sends them.
        cdef bytes seeds = os.urandom(16)
        cdef const uint8_t* octets = seeds
        cdef NameTable* n = &self.names
        cdef AddressTable* a = &self.addresses
        memcpy(&n.seed, octets, 8)
        memcpy(&a.seed, octets + 8, 8)
        n.most = min(max(most_names, <uint32_t>LEAST_NAMES), <uint32_t>MOST_NAMES)
        n.mask = a.mask = FIRST_SLOTS - 1
        n.slots = <Slot*>map_alloc(FIRST_SLOTS * sizeof(Slot))
        a.slots = <Slot*>map_alloc(FIRST_SLOTS * sizeof(Slot))
        n.room = ARENA_OCTETS
        n.used = ENTRY_ALIGN
        n.text_room = TEXT_OCTETS
        a.room = MOST_ADDRESSES
        n.arena = <uint8_t*>map_alloc(ARENA_OCTETS + PADDING)
        n.text = <char*>map_alloc(TEXT_OCTETS)
        n.text_offsets = <int32_t*>map_alloc((MOST_NAMES + 1) * sizeof(int32_t))
        a.keys = <uint64_t*>map_alloc(<size_t>MOST_ADDRESSES * 16)
        a.text = <char*>map_alloc(<size_t>MOST_ADDRESSES * ADDRESS_TEXT)
        a.text_offsets = <int32_t*>map_alloc((MOST_ADDRESSES + 1) * sizeof(int32_t))
        if not (n.slots and a.slots and n.arena and n.text and n.text_offsets and a.keys and a.text and a.text_offsets):
            raise MemoryError("no memory for the tables of names and addresses")
        n.text_offsets[0] = a.text_offsets[0] = 0

    def __dealloc__(self):
        map_free(self.names.slots)
        map_free(self.names.arena)
        map_free(self.names.text)
        map_free(self.names.text_offsets)
        map_free(self.addresses.slots)
        map_free(self.addresses.keys)
        map_free(self.addresses.text)
        map_free(self.addresses.text_offsets)

    cdef bint has_room(self, uint32_t names, uint32_t addresses) noexcept nogil:
        cdef const NameTable* n = &self.names
        return (n.count + names <= n.most
                and n.used + <size_t>names * 288 <= n.room
                and n.text_offsets[n.count] + <size_t>names * LONGEST_TEXT <= n.text_room
                and self.addresses.count + addresses <= MOST_ADDRESSES)

    def names_view(self):
        """Number of names, their offsets and their text, as buffers that live as long as the dictionary."""
        return self.names.count, _view(self, self.names.text_offsets, (self.names.count + 1) * 4), \
            _view(self, self.names.text, self.names.text_offsets[self.names.count])

    def addresses_view(self):
        """Number of addresses, their offsets and their text, as buffers that live as long as the dictionary."""
        return self.addresses.count, _view(self, self.addresses.text_offsets, (self.addresses.count + 1) * 4), \
            _view(self, self.addresses.text, self.addresses.text_offsets[self.addresses.count])


cdef TextView _view(Dictionary owner, const void* data, Py_ssize_t size):
    cdef TextView view = TextView()
    view.owner = owner
    view.data = data
    view.size = size
    return view
