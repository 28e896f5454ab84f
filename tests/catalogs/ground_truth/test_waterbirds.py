from __future__ import annotations

from pathlib import Path

import pytest
from datasets_on_disk import write_image

from maskmill.catalogs.ground_truth import bird_images, waterbirds
from maskmill.schemas.errors import CorpusError

HEAD = "img_id,img_filename,y,split,place,place_filename\n"


def _metadata(root: Path, *lines: str) -> str:
    (root / "metadata.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return str(root)


def test_birds_of_a_split_with_bird_and_place(tmp_path: Path) -> None:
    uri = _metadata(tmp_path, "1,a/x.jpg,0,0,1,p", "2,a/y.jpg,1,2,0,p", "3,b/z.jpg,0,2,0,p")
    rows = waterbirds(uri)
    assert [(r.key, r.bird, r.place) for r in rows] == [("a/y", 1, 0), ("b/z", 0, 0)]
    assert [r.key for r in waterbirds(uri, "train")] == ["a/x"]
    write_image(tmp_path / "a" / "y.jpg", 2, 2)
    write_image(tmp_path / "b" / "z.jpg", 2, 2)
    assert [data[:2] for data in bird_images(uri, rows)] == [b"\xff\xd8"] * 2


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    uri = _metadata(tmp_path, "2,a/y.jpg,1,2,0,p")
    with pytest.raises(CorpusError, match="waterbirds image 'a/y'"):
        list(bird_images(uri, waterbirds(uri)))


def test_a_wrong_folder_is_shown_the_tree(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no metadata.csv; expected\nwaterbird_complete95"):
        waterbirds(str(tmp_path))


@pytest.mark.parametrize("line", ["2,a/y.jpg,2,2,0,p", "2,a/y.jpg,1,2,x,p", "2,a/y.jpg,1,2"])
def test_damaged_metadata_is_an_error(tmp_path: Path, line: str) -> None:
    with pytest.raises(CorpusError, match=r"metadata.csv .* cannot be read"):
        waterbirds(_metadata(tmp_path, line))


def test_an_unknown_split_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no split 'dev': there are train, val, test"):
        waterbirds(str(tmp_path), "dev")
