"""The native wing: compiled modules, one per stage; their sources are in ``ext/dnscap/native``."""

from importlib.util import find_spec

# Whoever starts Python in a copy of the source gets this package before the one that is installed.
if find_spec("dnscap.native.decoder") is None:
    raise ImportError(
        f"the native modules of dnscap are not built in {__path__[0]}: run `make build` there, or start Python "
        "in another directory to use the dnscap that is installed"
    )
