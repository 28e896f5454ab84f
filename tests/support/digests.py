"""What lies in a folder, to see that nothing in it was changed."""

from __future__ import annotations

import hashlib
from pathlib import Path


def contents(folder: str | Path) -> dict[str, str]:
    """Return path -> digest of all files below a folder."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
