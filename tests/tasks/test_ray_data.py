"""The Ray Data form on a real local Ray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import label_corpus, write_corpus

from maskmill.catalogs import MaskDataset
from maskmill.schemas.config import PoolConfig
from maskmill.tasks.pool import session


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray Data's own
def test_ray_reads_every_image_once_as_the_dataset_does(tmp_path: Path) -> None:
    from maskmill.tasks.ray_data import to_ray_dataset

    label_corpus(write_corpus(tmp_path / "corpus", 6), tmp_path / "catalog")
    dataset = MaskDataset(str(tmp_path / "catalog"))
    with session(PoolConfig()):
        found = to_ray_dataset(str(tmp_path / "catalog")).take_all()
    rows = sorted(found, key=lambda row: str(row["key"]))
    samples = sorted((dataset[i] for i in range(6)), key=lambda sample: sample.key)
    assert [row["key"] for row in rows] == [sample.key for sample in samples]
    for sample, row in zip(samples, rows, strict=True):
        for name in ("image", "labels", "weights"):
            assert np.array_equal(row[name], getattr(sample, name))
            assert row[name].dtype == getattr(sample, name).dtype
        assert list(row["known"]) == [True, True]
        assert (row["human"], row["fault"]) == (False, "")


@pytest.mark.slow
@pytest.mark.parametrize("parallelism", [1, 4, 100])
def test_tasks_share_the_images_out(tmp_path: Path, parallelism: int) -> None:
    from maskmill.tasks.ray_data import MaskDatasource

    label_corpus(write_corpus(tmp_path / "corpus", 6), tmp_path / "catalog")
    source = MaskDatasource(MaskDataset(str(tmp_path / "catalog")))
    tasks = source.get_read_tasks(parallelism)
    assert len(tasks) == min(parallelism, 6)
    assert sum(task.metadata.num_rows for task in tasks) == 6
    tables = [table for task in tasks for table in task()]
    assert sum(table.num_rows for table in tables) == 6
