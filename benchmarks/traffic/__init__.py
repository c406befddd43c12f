"""Deterministic, realistic resolver traffic, fast: DNS bodies are built once for each distinct question.

Names and messages are plain Python, one at a time. Whatever is there per packet (times, addresses, fates,
headers, checksums) is numpy, over all packets of a kind at once: a packet is a list of slices of one pool
of octets, gathered and patched in chunks.
"""
