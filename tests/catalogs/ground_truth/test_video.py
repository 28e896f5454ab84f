from __future__ import annotations

from pathlib import Path

import pytest
from datasets_on_disk import write_image, write_list, write_png

from maskmill.catalogs.ground_truth import open_davis
from maskmill.schemas.errors import CorpusError


def _davis(root: Path) -> Path:
    for video, frames in (("bear", 3), ("dog", 2)):
        for frame in range(frames):
            write_image(root / "JPEGImages" / "480p" / video / f"{frame:05d}.jpg", 2, 3)
            write_png(
                root / "Annotations" / "480p" / video / f"{frame:05d}.png", [[0, 1, frame], [255, 2, 0]]
            )
    write_list(root / "ImageSets" / "2017" / "val.txt", ["dog", "bear"])
    return root


def test_davis_videos_in_the_order_of_the_split(tmp_path: Path) -> None:
    _davis(tmp_path / "DAVIS")
    videos = open_davis(str(tmp_path))
    assert videos.names() == ("dog", "bear")
    assert [videos.length(name) for name in videos.names()] == [2, 3]
    assert [image.shape for image in videos.images("bear")] == [(2, 3, 3)] * 3
    labels = list(videos.labels("bear"))
    assert [label[0, 2] for label in labels] == [0, 1, 2]
    assert labels[0][1].tolist() == [0, 2, 0]


def test_a_wrong_folder_is_shown_the_tree(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no ImageSets/2017/val.txt; expected\nDAVIS/"):
        open_davis(str(tmp_path))


def test_a_video_without_annotations_is_named(tmp_path: Path) -> None:
    _davis(tmp_path)
    write_list(tmp_path / "ImageSets" / "2017" / "val.txt", ["cat"])
    with pytest.raises(CorpusError, match=r"no Annotations/480p/cat; expected"):
        open_davis(str(tmp_path))


def test_a_missing_frame_is_named(tmp_path: Path) -> None:
    videos = open_davis(str(_davis(tmp_path)))
    (tmp_path / "JPEGImages" / "480p" / "dog" / "00001.jpg").unlink()
    with pytest.raises(CorpusError, match="frame '00001' of video 'dog'"):
        list(videos.images("dog"))
