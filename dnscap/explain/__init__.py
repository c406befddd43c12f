"""One lookup made plain: a waterfall of its transmissions, where its time went, and what shows it."""

from dnscap.explain.explanation import Explanation

__all__ = ["Explanation"]
