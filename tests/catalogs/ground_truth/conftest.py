from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.demo import write_demo_corpus


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    write_demo_corpus(root, seed=3, images=1, val_images=2, workers=1)
    return root
