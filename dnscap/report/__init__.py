"""Reports: what tables amount to, as plain data, and ways to show it."""
