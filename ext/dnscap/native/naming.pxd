"""The name that an application gave: what the candidates of its lookup tell, and how its client expands names."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Lookup

cdef struct Expanding:         # how names of a client are expanded, as far as its lookups showed
    uint64_t suffix            # hash of the first suffix of its search list
    uint64_t guessed           # hash of what the first walk ends in that was guessed by a first label; 0 none
    uint64_t end               # hash of the last label of a name that was expanded with it
    uint32_t size              # octets of the suffix; 0 none seen
    uint32_t walks             # lookups with several candidates
    uint32_t unexpanded        # names that do not exist and were not expanded, by stubs that would
    uint8_t proved             # the suffix can be no other
    uint8_t several            # several first suffixes: more than one configuration behind the address

# Learn from a lookup that is over how its client expands names, and find the name of one that is judged.  `still`: the capture
# went on long enough after the lookup to show whatever would have followed.
cdef void learn_name(const Lookup* l, Expanding* e, uint64_t seed, uint8_t stub, bint still) noexcept nogil
cdef void find_name(Lookup* l, const Expanding* e, uint64_t seed, bint still) noexcept nogil
# Whether the name of a lookup that asked for one name only is the one that was given.
cdef bint name_stands(const Lookup* l, const Expanding* e, uint64_t seed, bint still) noexcept nogil
# Whether a name ends in what the client is known to add first.
cdef bint ends_so(const uint8_t* name, uint32_t size, const Expanding* e, uint64_t seed) noexcept nogil
