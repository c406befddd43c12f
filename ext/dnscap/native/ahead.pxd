"""Looking ahead: what the next happenings will need is fetched from memory before their turn comes."""
from libc.stdint cimport uint32_t

from dnscap.native.assembly cimport Ahead, Assembly
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges

cdef enum:
    FAR = 32                   # happenings of a stride

# Work out for `count` happenings from the one at `first` on, at most FAR, what does not depend on those before it.
cdef void look_ahead(Assembly* t, Exchanges exchanges, Batch batch, uint32_t first, uint32_t count, Ahead* ahead) noexcept nogil
