from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mask_catalog import png, write_tar
from torch.utils.data import DataLoader

from maskmill.catalogs import MaskDataset, MaskSample, MaskSampler, MaskStream
from maskmill.catalogs.datasets import Reading
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError

ALL_KEYS = [str(n) for n in range(100, 123)]


def _keys(samples: Any) -> list[str]:
    return [sample.key for sample in samples]


def _sorted(found: Iterable[list[str]]) -> list[str]:
    return sorted(chain.from_iterable(found))


def _first_keys(batch: list[MaskSample]) -> list[str]:
    return _keys(batch)


def _loaded(stream: MaskStream, workers: int, batch: int = 4) -> list[list[str]]:
    loader: DataLoader[Any] = DataLoader(
        stream.for_torch(),
        batch_size=batch,
        num_workers=workers,
        collate_fn=_first_keys,
        multiprocessing_context="spawn" if workers else None,
    )
    return list(loader)


def test_a_stream_gives_what_the_dataset_has_in_the_order_of_the_corpus(many: Catalog) -> None:
    stream, dataset = MaskStream(many.uri), MaskDataset(many.uri)
    assert len(stream) == len(dataset) == 23
    for position, sample in enumerate(stream):
        assert sample.key == ALL_KEYS[position]
        assert np.array_equal(sample.labels, dataset[position].labels)
        assert (sample.image == int(sample.key)).all()
    assert (stream.version, stream.run_id, stream.classes) == (1, "label-1", ("background", "cat"))


def test_every_iteration_is_an_epoch_of_its_own(many: Catalog) -> None:
    stream = MaskStream(many.uri, shuffle=True, seed=3, shards_at_once=2)
    first, second = _keys(stream), _keys(stream)
    assert sorted(first) == sorted(second) == ALL_KEYS
    assert first != second
    stream.set_epoch(1)
    assert _keys(stream.records()) == second


def test_ranks_share_an_epoch_out(many: Catalog) -> None:
    ranks = [MaskStream(many.uri, shuffle=True, rank=r, world_size=3) for r in range(3)]
    found = [_keys(stream) for stream in ranks]
    assert [len(keys) for keys in found] == [len(stream) for stream in ranks] == [7, 8, 8]
    assert sorted(chain.from_iterable(found)) == ALL_KEYS
    with pytest.raises(ConfigError, match="ranks count from 0"):
        MaskStream(many.uri, rank=3, world_size=3)
    with pytest.raises(ConfigError, match="go together"):
        MaskStream(many.uri, rank=1)


def test_a_position_is_gone_on_from(many: Catalog) -> None:
    whole = _keys(MaskStream(many.uri, shuffle=True, seed=5))
    stream = MaskStream(many.uri, shuffle=True, seed=5)
    samples = iter(stream)
    taken = [next(samples).key for _ in range(9)]
    state = stream.state_dict()
    fresh = MaskStream(many.uri, shuffle=True, seed=5)
    fresh.load_state_dict(state)
    assert taken + _keys(fresh) == whole
    with pytest.raises(ConfigError, match="this stream has seed 6, the saved state 5"):
        MaskStream(many.uri, shuffle=True, seed=6).load_state_dict(state)


@pytest.mark.slow
def test_workers_of_a_loader_share_a_rank_out_and_can_be_gone_on_from(many: Catalog) -> None:
    options: dict[str, Any] = {"shuffle": True, "seed": 2, "rank": 1, "world_size": 2}
    batches = _loaded(MaskStream(many.uri, **options), workers=2)
    other = _loaded(MaskStream(many.uri, **options | {"rank": 0}), workers=0)
    assert _sorted(batches + other) == ALL_KEYS
    rest = MaskStream(many.uri, **options)
    rest.set_epoch(0, taken=8, batch_size=4)
    assert _sorted(_loaded(rest, workers=2)) == _sorted(batches[2:])


def test_each_worker_goes_on_where_it_stood(many: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, rest = [], []
    for worker in range(3):
        info = SimpleNamespace(id=worker, num_workers=3)
        monkeypatch.setattr("torch.utils.data.get_worker_info", lambda info=info: info)
        whole.append(_keys(MaskStream(many.uri, shuffle=True)))
        stream = MaskStream(many.uri, shuffle=True)
        # Three batches of two and one more: of the workers in turn, and the first again.
        stream.set_epoch(0, taken=7, batch_size=2)
        rest.append(_keys(stream))
    assert _sorted(whole) == ALL_KEYS
    assert [len(keys) for keys in whole] == [7, 8, 8]
    assert rest == [whole[0][3:], whole[1][2:], whole[2][2:]]


def test_a_sampler_draws_every_image_once_and_keeps_shards_together(many: Catalog) -> None:
    dataset = MaskDataset(many.uri)
    samplers = [
        MaskSampler(dataset, Reading(shuffle=True, rank=r, world_size=2, shards_at_once=1)) for r in (0, 1)
    ]
    found = [list(sampler) for sampler in samplers]
    assert sorted(chain.from_iterable(found)) == list(range(23))
    assert [len(sampler) for sampler in samplers] == [11, 12]
    samplers[0].set_epoch(0, taken=4)
    assert (list(samplers[0]), len(samplers[0])) == (found[0][4:], 7)
    samplers[0].set_epoch(1)
    assert list(samplers[0]) != found[0]
    loader: DataLoader[Any] = DataLoader(dataset, batch_size=8, sampler=samplers[1])  # type: ignore[arg-type]
    images, labels, weights, known, keys, *_ = next(iter(loader))
    assert images.shape == (8, 8, 12, 3)
    assert (labels.shape, weights.shape, known.shape) == ((8, 8, 12), (8, 8, 12), (8, 2))
    assert list(keys) == [dataset.key(i) for i in found[1][:8]]


def test_images_with_a_fault_are_left_out_and_counted(
    labelled: Catalog, corpus: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tar(corpus / "00000.tar", {"10": png(10)})
    with pytest.raises(CatalogError, match="has lost image '11'"):
        list(MaskStream(labelled.uri))
    stream = MaskStream(labelled.uri, on_error="skip")
    with caplog.at_level(logging.WARNING):
        assert _keys(stream) == ["10", "20"]
    assert stream.faults == {"CatalogError": 1}
    assert "has lost image '11'" in caplog.text
    assert len(stream) == 3
