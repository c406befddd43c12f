"""The native wing: compiled modules, one per stage; their sources are in ``ext/dnscap/native``."""
