"""Tables of a capture: as Arrow, as pandas frames, filtered by conditions."""
