"""Health of each server, added up while exchanges and connections stream by."""

from dnscap.servers.tally import ServerTally

__all__ = ["ServerTally"]
