def names() -> list[str]:
    """Names of the stubs, in the order of their numbers; the first, of none, is empty."""
