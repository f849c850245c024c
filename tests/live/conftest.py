"""For all tests of the stage: the user's folder is a temporary one."""

import pytest

from live.command import load_triton
from shared.preset import places

load_triton()  # as `ponticello live` does before it opens a window


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The user's folder, for this process and for those that a test starts."""
    folder = tmp_path / "documents" / "Ponticello"
    monkeypatch.setattr(places, "OWN", folder)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(folder.parent))
    return folder
