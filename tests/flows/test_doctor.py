"""What ``maskmill doctor`` finds, and that no finding hides another."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
import torch
from command_line import invoke

from maskmill.flows import doctor
from maskmill.flows.doctor import Finding, examine, print_findings
from maskmill.models.encoders import weights as weight_files
from maskmill.tasks import nltk_data

Captured = pytest.CaptureFixture[str]


def found(findings: list[Finding], area: str, what: str) -> Finding:
    (finding,) = (f for f in findings if (f.area, f.what) == (area, what))
    return finding


def without(missing: str) -> object:
    """Return a ``version`` to which one package is not installed."""

    def installed(name: str) -> str:
        if name == missing:
            raise PackageNotFoundError(name)
        return version(name)

    return installed


def test_all_that_the_package_requires_is_looked_for() -> None:
    mandatory = [line for line in requires("maskmill") or [] if "extra ==" not in line]
    names = {re.split(r"[^A-Za-z0-9_-]", line, maxsplit=1)[0] for line in mandatory}
    assert names <= {f.what for f in doctor._packages()}


def test_a_missing_package_is_a_fault_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", without("deltalake"))
    finding = found(list(doctor._packages()), "packages", "deltalake")
    assert (finding.status, finding.remedy) == ("fault", "pip install deltalake")


def test_a_missing_file_system_is_only_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", without("s3fs"))
    finding = found(list(doctor._packages()), "packages", "s3fs")
    assert (finding.status, finding.detail) == ("gap", "not installed; s3:// cannot be read")


def test_missing_nltk_data_is_a_gap_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk_data, "missing_data", lambda: "wordnet not found")
    (finding,) = doctor._nltk()
    assert finding.status == "gap"
    assert finding.detail.startswith("wordnet not found")
    assert "nltk.downloader" in finding.remedy
    monkeypatch.setattr(nltk_data, "missing_data", lambda: None)
    (finding,) = doctor._nltk()
    assert (finding.status, finding.remedy) == ("ok", "")


def test_no_gpu_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (finding,) = doctor._accelerators()
    assert (finding.what, finding.status) == ("GPU", "gap")


def test_each_gpu_is_named_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        name = "Example 9000"
        total_memory = 24 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Properties)
    findings = list(doctor._accelerators())
    assert [(f.what, f.detail) for f in findings] == [
        ("GPU 0", "Example 9000, 24 GiB"),
        ("GPU 1", "Example 9000, 24 GiB"),
    ]


def test_a_nearly_full_disk_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(2**40, 2**40, 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    finding = found(list(doctor._machine()), "machine", "disk")
    assert (finding.status, finding.detail) == ("gap", "1 GiB free here")


def test_damaged_demo_weights_are_a_fault_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = shutil.copytree(weight_files.shipped_folder("demo_clip"), tmp_path / "demo_clip")
    (file,) = copy.glob("*.safetensors")
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(body)
    monkeypatch.setattr(weight_files, "shipped_folder", lambda name: tmp_path / name)
    finding = found(list(doctor._weights()), "weights", "demo")
    assert (finding.status, finding.remedy) == ("fault", "reinstall maskmill")
    assert "sha256" in finding.detail


def test_the_hub_cache_lists_its_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert doctor._hub_cache().status == "gap"
    (tmp_path / "models--timm--vit_base").mkdir()
    assert doctor._hub_cache() == Finding("weights", "hub cache", "ok", "timm/vit_base")


def test_a_check_that_breaks_is_a_fault_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def _accelerators() -> Iterator[Finding]:
        yield Finding("machine", "GPU 0", "ok", "fine")
        raise RuntimeError("the driver is broken")

    monkeypatch.setattr(doctor, "_accelerators", _accelerators)
    findings = examine()
    broken = found(findings, "accelerators", "check")
    assert (broken.status, broken.detail) == ("fault", "RuntimeError: the driver is broken")
    assert found(findings, "machine", "GPU 0").status == "ok"
    assert found(findings, "services", "Prefect")


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("gap", 0), ("fault", 1)])
def test_only_a_fault_makes_the_exit_code_1(status: str, code: int, capsys: Captured) -> None:
    finding = Finding("area", "what", status, "[detail]", "do this")  # type: ignore[arg-type]
    assert print_findings([finding], as_json=False) == code
    printed = capsys.readouterr().out
    assert "-> do this" in printed
    assert "[detail]" in printed


def test_doctor_prints_json_with_one_object_a_finding(capsys: Captured) -> None:
    ran = invoke(capsys, "doctor", "--json")
    findings = json.loads(ran.out)
    assert {"packages", "machine", "NLTK", "weights", "services"} <= {f["area"] for f in findings}
    assert all(set(f) == {"area", "what", "status", "detail", "remedy"} for f in findings)
    assert ran.code == int(any(f["status"] == "fault" for f in findings))
    assert all(f["remedy"] for f in findings if f["status"] != "ok")
