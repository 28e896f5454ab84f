from __future__ import annotations

import io
import json
import tarfile
import warnings
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from exporting import drawn_of, truth
from PIL import Image

from maskmill.catalogs.exporters import ExportSummary

Export = Callable[..., ExportSummary]


def _samples(summary: ExportSummary, name: str) -> dict[str, dict[str, bytes]]:
    """Group the members of a tar as WebDataset does: by what stands before the first dot."""
    samples: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(summary.out / name) as tar:
        for member in tar:
            stem, _, suffix = member.name.partition(".")
            samples[stem][suffix] = tar.extractfile(member).read()  # type: ignore[union-attr]
    return samples


def test_samples_hold_image_label_map_and_what_is_known(exported: Export) -> None:
    summary = exported(format="webdataset")
    tars = sorted(p.name for p in summary.out.glob("*.tar"))
    assert tars == ["train-000000.tar", "train-000001.tar", "train-000002.tar"]
    seen = []
    for name in tars:
        for sample in _samples(summary, name).values():
            assert sorted(sample) == ["jpg", "json", "seg.png"]
            known = json.loads(sample["json"])
            labels = np.asarray(Image.open(io.BytesIO(sample["seg.png"])))
            assert (labels == truth(drawn_of(known["key"]), summary.classes)).all()
            assert Image.open(io.BytesIO(sample["jpg"])).size == (known["width"], known["height"])
            assert {m["label"] for m in known["masks"]} == {m[0] for m in drawn_of(known["key"]).masks}
            assert known["captions"] == [f"a photo {known['key']}"]
            seen.append(known["key"])
    assert len(seen) == 5


def test_tars_of_a_split_are_numbered_without_a_gap(exported: Export) -> None:
    summary = exported(format="webdataset", val_share=0.5, seed=3)
    for split in ("train", "val"):
        found = sorted(summary.out.glob(f"{split}-*.tar"))
        assert found
        assert [p.name for p in found] == [f"{split}-{n:06d}.tar" for n in range(len(found))]
        counted = sum(len(_samples(summary, p.name)) for p in found)
        assert counted == summary.counts[f"images_{split}"]


def test_the_same_export_has_the_same_bytes(exported: Export) -> None:
    first = (exported(format="webdataset").out / "train-000000.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert {member.mtime for member in tar} == {0}


def test_webdataset_reads_it(exported: Export) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports deprecate is not ours
        webdataset = pytest.importorskip("webdataset", reason="the reader of the format itself")
        summary = exported(format="webdataset")
        urls = str(summary.out / "train-{000000..000002}.tar")
        samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert len(samples) == 5
    assert all(sample["seg.png"].shape == sample["jpg"].shape for sample in samples)
