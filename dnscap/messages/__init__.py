"""The message stage seen from Python: decoded batches in, tables out."""
