"""Input made to hurt: bounded memory and time, clear counts, a message that says where."""
