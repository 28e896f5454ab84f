"""The label flow on real photographs, end to end, against two baselines."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.realdata, pytest.mark.slow, pytest.mark.timeout(1800)]
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.mark.usefixtures("prefect_server")
def test_masks_beat_painting_the_best_caption_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conse = pytest.importorskip("conse")
    if not conse.data_folder().is_dir():
        pytest.skip(f"no real photographs at {conse.data_folder()}: set MASKMILL_REALDATA to their folder")
    import photographs

    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    corpus, head = photographs.captioned_photos(tmp_path), tmp_path / "head.safetensors"
    photographs.train_head(head)
    catalog = str(tmp_path / "catalog")
    summary = photographs.run_label_flow(corpus, head, catalog)
    assert (summary.counts["images"], summary.counts["errors"]) == (174, 0)
    scores = {name: matrix.miou() for name, matrix in photographs.compare(catalog, corpus, head).items()}
    print({name: round(miou, 4) for name, miou in scores.items()})
    assert scores["CLIP-DIY"] > scores["best class, whole image"]
    assert scores["CLIP-DIY"] > scores["best class, object region"]
