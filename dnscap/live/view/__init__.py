"""The full-screen view of live capture.

`watch` takes in what the session gives, in plain Python, with `following` (lookups), `tops` (who asks what of whom)
and `pulse` (the last minutes, second by second); `panels`, `rows` and `telling` turn that into lines; `app`,
`table`, `screens` and `driver` put the lines on a terminal.  Only these last four know Textual.
"""
