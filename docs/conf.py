"""How Sphinx builds the documentation: Markdown pages, and notebooks executed while it builds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
# Notebooks and the captures that they read lie beside docs: both are copied into the tree that Sphinx reads.
for name in ("notebooks", "examples"):
    target = HERE / "_build" / "source" / name
    shutil.copytree(HERE.parent / name, target, dirs_exist_ok=True)

project = "dnscap"
author = "the dnscap developers"
extensions = ["myst_nb"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build/html", "_build/doctrees", "_build/source/examples", "_build/jupyter_execute"]
suppress_warnings = ["myst.xref_missing", "mystnb.unknown_mime_type"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
html_theme = "furo"
html_title = "dnscap"
html_static_path: list[str] = []
html_show_copyright = False
