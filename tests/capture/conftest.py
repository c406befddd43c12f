import os
from pathlib import Path

import pytest


@pytest.fixture
def shared():
    """The folder of captures of other people, where it is at hand."""
    folder = Path(os.environ.get("DNSCAP_SHARED") or Path(__file__).parents[3] / "shared")
    if not (folder / "captures").is_dir():
        pytest.skip("needs the captures in ../shared (or DNSCAP_SHARED)")
    return folder
