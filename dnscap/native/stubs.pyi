"""Stub resolvers by their habits; see ext/dnscap/native/stubs.pxd."""

def names() -> list[str]:
    """Names of the stubs, in the order of their numbers; the first, of none, is empty."""
