"""What a walk found as Python objects, for those who look into single packets."""
from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog

# Append a dictionary for each payload and each event, and empty both.
cdef void drain(Outbox* box, EventLog* log, list datagrams, list events) except *
