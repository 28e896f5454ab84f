from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nltk
import pytest

from maskmill.schemas.errors import ConfigError
from maskmill.tasks import nltk_data


@pytest.fixture(autouse=True)
def search_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "nltk_data"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(nltk.data, "path", [str(folder)])
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    yield folder


def put_packages(folder: Path) -> None:
    for resource in nltk_data.PACKAGES.values():
        (folder / resource).mkdir(mode=0o755, parents=True)


def test_data_on_the_search_path_is_found(search_path: Path) -> None:
    put_packages(search_path)
    assert nltk_data.missing_data() is None
    assert nltk_data.ensure_data(None) is None


def test_missing_packages_are_named(search_path: Path) -> None:
    (search_path / "corpora/wordnet").mkdir(parents=True)
    reason = nltk_data.missing_data()
    assert reason == "averaged_perceptron_tagger_eng not found"


def test_a_folder_that_a_group_may_write_to_is_refused_with_a_remedy(search_path: Path) -> None:
    put_packages(search_path)
    search_path.chmod(0o775)
    reason = nltk_data.missing_data()
    if reason is None:
        pytest.skip("this nltk reads such folders")
    assert str(search_path) in reason and "chmod go-w" in reason


def test_a_named_folder_goes_first_and_is_enough(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    put_packages(folder)
    assert nltk_data.ensure_data(str(folder)) is None
    assert nltk.data.path[0] == str(folder)


def test_a_named_folder_that_does_not_exist_is_a_configuration_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        nltk_data.ensure_data(str(tmp_path / "nowhere"))


def test_a_named_folder_without_data_is_a_configuration_fault_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nltk_data, "fetch_data", lambda: pytest.fail("must not download"))
    with pytest.raises(ConfigError, match=r"wordnet not found.*nltk\.downloader"):
        nltk_data.ensure_data(str(tmp_path))


def run_instead(monkeypatch: pytest.MonkeyPatch, code: str, seconds: float = 20.0) -> None:
    """Let the download process run ``code``."""
    real = subprocess.run

    def run(command: list[str], **options: object) -> object:
        return real([command[0], "-c", code], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(nltk_data, "subprocess", SimpleNamespace(**{**vars(subprocess), "run": run}))
    monkeypatch.setattr(nltk_data, "_FETCH_SECONDS", seconds)


def test_a_download_that_works_is_found_afterwards(
    search_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ";".join(f"os.makedirs({str(search_path / r)!r}, mode=0o755)" for r in nltk_data.PACKAGES.values())
    run_instead(monkeypatch, f"import os; os.umask(0o022); {made}")
    assert nltk_data.ensure_data(None) is None


def test_a_download_that_fails_is_a_reason_with_what_nltk_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "[nltk_data] Error loading wordnet:\n[nltk_data]     no host\n"
    run_instead(monkeypatch, f"import sys; sys.stderr.write({said!r}); sys.exit(1)")
    reason = nltk_data.ensure_data(None)
    assert reason is not None
    assert reason.endswith("not found; download: Error loading wordnet: no host")


def test_a_download_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, "import time; time.sleep(60)", seconds=0.3)
    began = time.monotonic()
    assert nltk_data.fetch_data() == "not downloaded in 0 s"
    assert time.monotonic() - began < 10


def test_a_home_that_cannot_be_written_to_is_a_reason(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    reason = nltk_data.fetch_data(blocked / "nltk_data")
    assert reason is not None and "no download into" in reason


def test_the_download_process_asks_nltk_for_every_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(nltk_data.socket, "setdefaulttimeout", lambda seconds: None)
    monkeypatch.setattr(nltk_data.os, "umask", lambda mode: 0)
    monkeypatch.setattr(nltk.downloader, "NETWORK_TIMEOUT", 120, raising=False)

    def download(name: str, download_dir: str, quiet: bool) -> bool:
        asked.append(name)
        return name != "wordnet"

    monkeypatch.setattr(nltk, "download", download)
    assert nltk_data._download(str(tmp_path), *nltk_data.PACKAGES) == 1
    assert asked == list(nltk_data.PACKAGES)
