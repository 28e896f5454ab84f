"""One tiny image tower and one tiny text tower, written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_clippy import write_t5, write_vit


@pytest.fixture(scope="session")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vit(tmp_path_factory.mktemp("clippy") / "tiny_vit")


@pytest.fixture(scope="session")
def t5_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="sentence-T5 needs transformers, of the extra clippy")
    return write_t5(tmp_path_factory.mktemp("clippy") / "tiny_t5")
