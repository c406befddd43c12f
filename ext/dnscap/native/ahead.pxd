"""Looking ahead: what the next happenings will need is fetched from memory before their turn comes."""
from libc.stdint cimport uint32_t

from dnscap.native.assembly cimport Ahead, Assembly
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges

cdef enum:
    FAR = 16                   # happenings of a stride

# Work out for the happenings of the stride from `first` on, as far as there are any, what does not depend on those before it;
# `ahead` has room for two strides, and what is said of happening i stands at i modulo that.
cdef void look_ahead(Assembly* t, Exchanges exchanges, Batch batch, uint32_t first, Ahead* ahead) noexcept nogil
