"""Lookups and exchanges by time, for the course of a capture."""
