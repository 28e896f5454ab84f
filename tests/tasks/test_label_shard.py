"""What a worker does with a sample, and the vocabularies it reads from caption rows."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.parts import Part
from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.samples import BadSample, Sample, image_id
from maskmill.tasks.label_rows import DecodedImage
from maskmill.tasks.label_shard import decode_sample, image_words


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


def caption_row(key: str, index: int, reason: str, *entities: str) -> dict[str, Any]:
    return {
        "image_id": image_id("c", key),
        "corpus": "c",
        "key": key,
        "shard_id": "0",
        "caption_index": index,
        "caption": "x",
        "keep": reason == "kept",
        "reason": reason,
        "entities": list(entities),
        "spans": [],
    }


def test_an_image_gets_the_entities_of_its_kept_captions_in_order(tmp_path: Path) -> None:
    rows = [
        caption_row("a", 1, "kept", "dog", "tree"),
        caption_row("a", 0, "kept", "cat", "dog"),
        caption_row("a", 2, "no_entity", "bus"),
        caption_row("b", 0, "no_entity"),
        caption_row("d", 0, "kept", "cat", "dog", "tree"),
    ]
    add = write_rows(str(tmp_path), "captions", "f", "0", rows)
    found = image_words(Part(str(tmp_path / "captions" / add.path), "0")).vocabularies
    assert set(found) == {image_id("c", "a"), image_id("c", "d")}
    assert found[image_id("c", "a")].names == ("background", "cat", "dog", "tree")
    assert found[image_id("c", "a")] is found[image_id("c", "d")]


def test_an_image_without_a_kept_caption_has_a_status_that_says_why(tmp_path: Path) -> None:
    rows = [
        caption_row("repeated", 0, "duplicate_image", "cat"),
        caption_row("small", 0, "too_small", "cat"),
        caption_row("mute", 0, "no_caption"),
        caption_row("mute", 1, "no_entity"),
        caption_row("named", 0, "no_entity"),
        caption_row("named", 1, "kept", "cat"),
    ]
    add = write_rows(str(tmp_path), "captions", "f", "0", rows)
    words = image_words(Part(str(tmp_path / "captions" / add.path), "0"))
    expected = {"repeated": "duplicate_image", "small": "too_small", "mute": "no_vocabulary"}
    assert words.without == {image_id("c", key): status for key, status in expected.items()}
