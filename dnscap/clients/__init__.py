"""Who asked: each client address and stub, and the configuration that its packets show."""

from dnscap.clients.keeping import FAILED, Keeper, Kept
from dnscap.clients.tally import ClientTally

__all__ = ["FAILED", "ClientTally", "Keeper", "Kept"]
