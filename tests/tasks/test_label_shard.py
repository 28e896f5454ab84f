"""What a worker does with a sample, and the vocabularies it reads from caption rows."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskmill.catalogs.files import write_rows
from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.samples import BadSample, Sample, image_id
from maskmill.tasks.label_rows import DecodedImage
from maskmill.tasks.label_shard import caption_vocabularies, decode_sample


def test_a_decoded_image_carries_the_hash_of_its_file() -> None:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(file, "PNG")
    image = decode_sample(Sample("k", file.getvalue()), 100)
    assert isinstance(image, DecodedImage)
    assert image.sha256 == hashlib.sha256(file.getvalue()).hexdigest()
    np.testing.assert_array_equal(image.pixels, np.full((2, 3, 3), (9, 8, 7), np.uint8))


def test_a_bad_image_keeps_its_key_and_reason() -> None:
    bad = decode_sample(Sample("k", b""), 100)
    assert bad == BadSample("k", ErrorReason.EMPTY_FILE, "0 bytes")


def test_a_bad_sample_passes_through() -> None:
    bad = BadSample(None, ErrorReason.TRUNCATED_SHARD, "cut")
    assert decode_sample(bad, 100) is bad


def test_an_image_gets_the_entities_of_its_kept_captions_in_order(tmp_path: Path) -> None:
    def row(key: str, index: int, keep: bool, *entities: str) -> dict[str, Any]:
        return {
            "image_id": image_id("c", key),
            "corpus": "c",
            "key": key,
            "shard_id": "0",
            "caption_index": index,
            "caption": "x",
            "keep": keep,
            "reason": "kept" if keep else "no_entity",
            "entities": list(entities),
            "spans": [],
        }

    rows = [
        row("a", 1, True, "dog", "tree"),
        row("a", 0, True, "cat", "dog"),
        row("a", 2, False, "bus"),
        row("b", 0, False),
        row("d", 0, True, "cat", "dog", "tree"),
    ]
    add = write_rows(str(tmp_path), "captions", "f", "0", rows)
    found = caption_vocabularies(str(tmp_path / "captions" / add.path))
    assert set(found) == {image_id("c", "a"), image_id("c", "d")}
    assert found[image_id("c", "a")].names == ("background", "cat", "dog", "tree")
    assert found[image_id("c", "a")] is found[image_id("c", "d")]
