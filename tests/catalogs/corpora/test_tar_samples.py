from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.corpora.tar_samples import image_members, read_metadata, read_tar
from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.samples import BadSample, Sample

Pack = Callable[..., bytes]


def _read(data: bytes) -> list[Sample | BadSample]:
    return list(read_tar(io.BytesIO(data)))


def _sample(key: str, caption: str = "a cat") -> list[tuple[str, bytes]]:
    return [(f"{key}.jpg", key.encode()), (f"{key}.json", json.dumps({"caption": caption}).encode())]


def test_members_with_one_key_are_one_sample(tar_bytes: Pack) -> None:
    meta = {"captions": ["a cat", None], "url": "u"}
    data = tar_bytes([("000.jpg", b"J"), ("000.json", json.dumps(meta).encode()), ("000.txt", b"other")])
    assert _read(data) == [Sample("000", b"J", ("a cat", None), meta)]


def test_the_key_is_the_path_up_to_the_first_dot_of_the_name(tar_bytes: Pack) -> None:
    data = tar_bytes([("a.b/x.JPG", b"1"), ("a.b/x.txt", b"one"), ("./y.png", b"2"), ("y.seg.png", b"3")])
    assert _read(data) == [Sample("a.b/x", b"1", ("one",)), Sample("y", b"2")]


def test_caption_null_stays_none_and_beats_the_txt(tar_bytes: Pack) -> None:
    (sample,) = _read(tar_bytes([("0.jpg", b"J"), ("0.json", b'{"caption": null}'), ("0.txt", b"None")]))
    assert isinstance(sample, Sample)
    assert sample.captions == (None,)


def test_an_image_without_caption_is_a_sample(tar_bytes: Pack) -> None:
    assert _read(tar_bytes([("0.webp", b"W"), ("1.jpg", b"J"), ("1.json", b"{}")])) == [
        Sample("0", b"W"),
        Sample("1", b"J"),
    ]


def test_an_empty_image_is_handed_on(tar_bytes: Pack) -> None:
    assert _read(tar_bytes([("0.jpg", b"")])) == [Sample("0", b"")]


def test_bad_json_falls_back_to_the_txt(tar_bytes: Pack) -> None:
    assert _read(tar_bytes([("0.jpg", b"J"), ("0.json", b"{"), ("0.txt", b"\xef\xbb\xbfa cat\n")])) == [
        Sample("0", b"J", ("a cat",))
    ]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b"[" * 100_000, b'{"caption": 3}', b'{"captions": ["a", {}]}', b"\xff\xfe\xfd"],
)
def test_bad_json_alone_is_a_bad_sample(tar_bytes: Pack, body: bytes) -> None:
    first, second = _read(tar_bytes([("0.jpg", b"J"), ("0.json", body), *_sample("1")]))
    assert isinstance(first, BadSample)
    assert (first.key, first.reason) == ("0", ErrorReason.BAD_METADATA)
    assert isinstance(second, Sample)


def test_text_that_is_not_utf8_is_a_bad_sample(tar_bytes: Pack) -> None:
    (bad,) = _read(tar_bytes([("0.jpg", b"J"), ("0.txt", b"caf\xe9")]))
    assert bad == BadSample("0", ErrorReason.BAD_METADATA, "the .txt is not UTF-8 text")


def test_metadata_without_image_is_a_bad_sample(tar_bytes: Pack) -> None:
    (bad,) = _read(tar_bytes([("0.json", b"{}"), ("0.cls", b"1")]))
    assert isinstance(bad, BadSample)
    assert (bad.key, bad.reason) == ("0", ErrorReason.MISSING_IMAGE)
    assert ".json, .cls" in bad.detail


def test_a_repeated_key_is_reported_once_and_the_first_sample_kept(tar_bytes: Pack) -> None:
    samples = _read(tar_bytes([*_sample("0", "first"), *_sample("1"), *_sample("0", "second")]))
    assert [s.key for s in samples] == ["0", "1", "0"]
    assert isinstance(samples[0], Sample)
    assert samples[0].captions == ("first",)
    assert isinstance(samples[2], BadSample)
    assert samples[2].reason == ErrorReason.DUPLICATE_KEY


def test_two_images_of_one_sample_are_reported(tar_bytes: Pack) -> None:
    sample, bad = _read(tar_bytes([("0.jpg", b"J"), ("0.png", b"P")]))
    assert sample == Sample("0", b"J")
    assert isinstance(bad, BadSample)
    assert bad.reason == ErrorReason.DUPLICATE_KEY


def test_metadata_that_lies_apart_is_reported_and_not_taken_for_a_sample(tar_bytes: Pack) -> None:
    members = [("0.jpg", b"0"), ("1.jpg", b"1"), ("0.json", b'{"caption": "a"}'), ("1.json", b"{}")]
    *samples, first, second = _read(tar_bytes(members))
    assert samples == [Sample("0", b"0"), Sample("1", b"1")]
    assert isinstance(first, BadSample)
    assert isinstance(second, BadSample)
    assert (first.key, second.key) == ("0", "1")
    assert first.reason == second.reason == ErrorReason.BAD_METADATA
    assert "sorted by name" in first.detail


def test_hidden_and_nameless_members_folders_and_links_are_passed_over() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, kind in (("d", tarfile.DIRTYPE), ("l.jpg", tarfile.SYMTYPE), ("h.jpg", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name in ("._0.jpg", ".DS_Store", "README", "0.jpg"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert _read(packed.getvalue()) == [Sample("0", b"")]


def test_names_that_are_not_utf8_give_distinct_keys_that_can_be_stored() -> None:
    names = ("\udcff.jpg", "\udcfe.jpg")
    headers = [tarfile.TarInfo(n).tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape") for n in names]
    keys = [sample.key for sample in _read(b"".join(headers) + bytes(1024))]
    assert keys == ["\\xff", "\\xfe"]
    assert all(key and key.encode() for key in keys)


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"\x89PNG" * 500, b"\x1f\x8b" + b"x" * 2000, b"PK\x03\x04" * 600]
)
def test_a_file_that_is_no_tar_is_one_bad_sample(junk: bytes) -> None:
    (bad,) = _read(junk)
    assert isinstance(bad, BadSample)
    assert (bad.key, bad.reason) == (None, ErrorReason.UNREADABLE_SHARD)


def test_an_empty_tar_has_no_samples(tar_bytes: Pack) -> None:
    assert _read(tar_bytes([])) == []


@given(cut=st.integers(513, 10_239))
def test_a_cut_tar_yields_what_is_whole_and_then_one_bad_sample(cut: int) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key in ("0", "1", "2"):
            for name, data in ((f"{key}.jpg", key.encode() * 600), (f"{key}.txt", b"a cat")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    sample_size = 512 + 1024 + 512 + 512
    whole, end = packed.getvalue(), 3 * sample_size + 512
    *samples, last = _read(whole[:cut])
    if cut >= end:
        assert len(samples) == 2
        assert isinstance(last, Sample)
        return
    assert isinstance(last, BadSample)
    assert (last.key, last.reason) == (None, ErrorReason.TRUNCATED_SHARD)
    for key, sample in enumerate(samples):
        assert isinstance(sample, Sample)
        assert sample.image == str(key).encode() * 600
    assert len(samples) >= cut // sample_size
    assert all(s.captions == ("a cat",) for s in samples[:-1] if isinstance(s, Sample))


def test_a_damaged_header_ends_the_shard_with_one_bad_sample(tar_bytes: Pack) -> None:
    data = bytearray(tar_bytes([*_sample("0"), *_sample("1")]))
    data[2048 + 20] ^= 0xFF
    sample, bad = _read(bytes(data))
    assert isinstance(sample, Sample)
    assert isinstance(bad, BadSample)
    assert bad.reason == ErrorReason.TRUNCATED_SHARD
    assert "at byte 2048" in bad.detail


@pytest.mark.parametrize("size", [-1, 1 << 60])
def test_a_member_of_absurd_size_ends_the_shard(tar_bytes: Pack, size: int) -> None:
    info = tarfile.TarInfo("README")
    info.size = size
    header = info.tobuf(tarfile.GNU_FORMAT)
    sample, bad = _read(tar_bytes([("0.jpg", b"J")])[:1024] + header + bytes(1024))
    assert isinstance(sample, Sample)
    assert isinstance(bad, BadSample)
    assert bad.reason == ErrorReason.TRUNCATED_SHARD


def test_a_long_tar_is_read_without_holding_it(tar_bytes: Pack) -> None:
    class Stream(io.RawIOBase):
        """Offers neither seek nor length."""

        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 1 << 20
            return self._data.read(size)

    data = tar_bytes([member for i in range(200) for member in _sample(f"{i:03d}")])
    assert len(list(read_tar(Stream(data)))) == 200  # type: ignore[arg-type]


def test_images_are_counted_up_to_a_limit(tar_bytes: Pack) -> None:
    data = tar_bytes([member for i in range(5) for member in _sample(str(i))])
    assert image_members(io.BytesIO(data), 100) == 5
    assert image_members(io.BytesIO(data), 3) == 3
    assert image_members(io.BytesIO(data[:2600]), 100) == 2
    assert image_members(io.BytesIO(b"no tar"), 100) == 0


def test_metadata_survives_where_captions_are_in_the_txt() -> None:
    assert read_metadata(b'{"url": "u"}', b" a cat \n") == (("a cat",), {"url": "u"})
    assert read_metadata(b'{"captions": [], "caption": "x"}', None) == (
        ("x",),
        {"captions": [], "caption": "x"},
    )
    assert read_metadata(b'{"captions": "x"}', None)[0] == ("x",)
    assert read_metadata(None, None) == ((), {})
