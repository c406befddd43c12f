"""Queries and their answers: every transmission a row."""
