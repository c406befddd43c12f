"""Properties of the whole decoder: build, decode, compare."""
