"""How Sphinx builds the documentation: Markdown pages, and notebooks executed while it builds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
# Notebooks and the captures that they read lie beside docs: both are copied into the tree that Sphinx reads.
for name in ("notebooks", "examples"):
    target = HERE / "_build" / "source" / name
    shutil.copytree(HERE.parent / name, target, dirs_exist_ok=True)

# Charts as SVG files: a page of charts that want script would load it from elsewhere.
startup = HERE / "_build" / "ipython" / "profile_default" / "startup"
startup.mkdir(parents=True, exist_ok=True)
(startup / "charts.py").write_text('import altair\n\naltair.renderers.enable("svg")\n', encoding="utf-8")
os.environ["IPYTHONDIR"] = str(HERE / "_build" / "ipython")

project = "dnscap"
author = "the dnscap developers"
extensions = ["myst_nb"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = [
    *("_build/html", "_build/doctrees", "_build/ipython", "_build/jupyter_execute"),
    "_build/source/examples",
]
suppress_warnings = ["myst.xref_missing", "mystnb.unknown_mime_type"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
html_theme = "furo"
html_title = "dnscap"
html_static_path = ["style"]
html_css_files = ["tables.css"]
html_show_copyright = False
