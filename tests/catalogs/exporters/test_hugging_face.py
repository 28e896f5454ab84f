from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exporting import drawn_of, truth
from PIL import Image

from maskmill.catalogs.exporters import ExportSummary

Export = Callable[..., ExportSummary]


def test_rows_hold_files_and_the_schema_says_what_they_are(exported: Export) -> None:
    summary = exported(format="hf")
    files = sorted((summary.out / "data").iterdir())
    assert [p.name for p in files] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    table = pa.concat_tables([pq.read_table(p) for p in files])
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == features["label_map"] == {"_type": "Image"}
    assert features["labels"] == [{"names": list(summary.classes), "_type": "ClassLabel"}]
    assert set(features) == set(table.column_names)
    for row in table.to_pylist():
        labels = np.asarray(Image.open(io.BytesIO(row["label_map"]["bytes"])))
        drawn = drawn_of(row["key"])
        assert (labels == truth(drawn, summary.classes)).all()
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == drawn.size[::-1]
        assert {summary.classes[n] for n in row["labels"]} == {m[0] for m in drawn.masks}
        assert row["scores"] == pytest.approx(sorted(m[1] for m in drawn.masks))


def test_a_split_has_the_name_that_the_hub_knows(exported: Export) -> None:
    summary = exported(format="hf", val_share=0.5, seed=3)
    names = {p.name.split("-")[0] for p in (summary.out / "data").iterdir()}
    assert names == {"train", "validation"}
    rows = sum(pq.read_metadata(p).num_rows for p in (summary.out / "data").glob("validation-*"))
    assert rows == summary.counts["images_val"]


def test_without_images_there_is_no_such_column(exported: Export) -> None:
    summary = exported(format="hf", images="none")
    schema = pq.read_schema(next((summary.out / "data").iterdir()))
    assert "image" not in schema.names
    assert "image" not in json.loads(schema.metadata[b"huggingface"])["info"]["features"]


def test_datasets_opens_the_folder(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports deprecate is not ours
        datasets = pytest.importorskip("datasets", reason="Hugging Face's reader of the format")
        summary = exported(format="hf", val_share=0.5, seed=3)
        found = datasets.load_dataset(str(summary.out), cache_dir=str(tmp_path / "cache"))
        assert {name: len(part) for name, part in found.items()} == {
            "train": summary.counts["images_train"],
            "validation": summary.counts["images_val"],
        }
        rows = [row for part in found.values() for row in part]
        names = found["train"].features["labels"].feature.names
    assert names == list(summary.classes)
    assert len(rows) == 5
    for row in rows:
        assert (np.asarray(row["label_map"]) == truth(drawn_of(row["key"]), summary.classes)).all()
        assert row["image"].size == row["label_map"].size
