"""What servers say of names: TTLs, values over time, absence; one row a name, type and server."""

from __future__ import annotations

from dnscap.names.rows import NameRows
from dnscap.names.seen import SeenNames

__all__ = ["NameRows", "SeenNames"]
