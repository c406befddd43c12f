"""dnscap: what the application asked of DNS, what it cost and why it was slow."""

__version__ = "0.1.0"
