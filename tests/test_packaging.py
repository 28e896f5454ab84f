"""The wheel: its only top-level name is maskmill, it carries its data files, and its command runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "demo", "*.egg-info", "__pycache__", "tests")


def _copy_source(into: Path) -> Path:
    """Copy the tree: setuptools builds in place and would leave a folder that poisons the next wheel."""
    source = into / "source"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    if not (source / "catalogs" / "demo").is_dir():  # the demo's output folder shares a package's name
        shutil.copytree(ROOT / "catalogs" / "demo", source / "catalogs" / "demo")
    return source


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    source = str(_copy_source(folder))
    built = subprocess.run([*command, source], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_maskmill_is_the_only_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {n.split("/")[0] for n in archive.namelist()}
    assert {n for n in names if not n.endswith(".dist-info")} == {"maskmill"}


def test_every_package_folder_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {n for n in archive.namelist() if n.endswith(".py")}
    roles = ("schemas", "catalogs", "models", "tasks", "flows")
    sources = {f"maskmill/{p.relative_to(ROOT)}" for role in roles for p in (ROOT / role).rglob("*.py")}
    assert sources <= packed


def test_data_files_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    roles = ("schemas", "catalogs", "models")
    kinds = ("*.toml", "*.txt", "*.j2", "*.css", "*.js", "*.json", "*.safetensors")
    files = [path for role in roles for kind in kinds for path in (ROOT / role).rglob(kind)]
    data = {f"maskmill/{path.relative_to(ROOT)}" for path in files}
    assert data <= packed
    assert {"maskmill/py.typed", "maskmill/schemas/vocabularies/demo.toml"} <= packed


def test_the_installed_wheel_runs_its_command(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with the wheel in it; the dependencies are those of this one: no download."""
    venv.create(tmp_path / "env", with_pip=False)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = tmp_path / "env" / "bin" / "python"
    where = "import maskmill; print(maskmill.__file__)"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.startswith(str(site))
    script = "import sys; from maskmill.flows.cli import main; main(['--help'])"
    shown = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for command in ("demo", "filter", "label", "sql", "train", "evaluate", "report", "doctor", "demo-corpus"):
        assert command in shown.stdout
