from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import webdataset
from mask_catalog import LEFT, RIGHT
from PIL import Image

from maskmill.catalogs import MaskStream, WebMasks
from maskmill.catalogs.datasets.web import _suffix
from maskmill.catalogs.store import Catalog


def test_samples_pass_through_a_pipeline_of_webdataset(labelled: Catalog) -> None:
    source = WebMasks(MaskStream(labelled.uri, min_score=0.5))
    pipeline = webdataset.DataPipeline(
        source, webdataset.decode("pil"), webdataset.to_tuple("__key__", "png", "seg.png", "json")
    )
    found = {key: (np.asarray(image), np.asarray(seg), known) for key, image, seg, known in pipeline}
    assert sorted(found) == ["10", "11", "20"]
    image, seg, known = found["10"]
    assert (image == 10).all()
    labels = seg[..., 0] if seg.ndim == 3 else seg
    assert (labels[LEFT] == 2).all()
    assert (labels[RIGHT] == 255).all()
    assert known["masks"][1] == {"class_id": 2, "weight": pytest.approx(0.9)}
    assert (known["width"], known["height"], known["human"]) == (12, 8, False)


def test_a_loader_of_webdataset_takes_each_sample_once(many: Catalog) -> None:
    stream = MaskStream(many.uri, shuffle=True)
    pipeline = webdataset.DataPipeline(WebMasks(stream), webdataset.to_tuple("__key__", "seg.png"))
    batches = list(webdataset.WebLoader(pipeline, batch_size=None, num_workers=0))
    assert sorted(key for key, _ in batches) == [str(n) for n in range(100, 123)]
    assert all(Image.open(io.BytesIO(seg)).size == (12, 8) for _, seg in batches)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
def test_images_are_named_by_their_format(kind: str, tmp_path: Path) -> None:
    packed = io.BytesIO()
    Image.new("RGB", (4, 4)).save(packed, kind)
    assert _suffix(packed.getvalue()) == {"jpeg": "jpg"}.get(kind, kind)
