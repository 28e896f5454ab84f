"""``deploy/prefect.yaml`` names flows that exist, with parameters that they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

FILE = Path(__file__).parents[2] / "deploy" / "prefect.yaml"
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["deployments"]


def test_names_are_unique() -> None:
    names = [(d["entrypoint"], d["name"]) for d in DEPLOYMENTS]
    assert len(set(names)) == len(names) >= 2


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_a_deployment_names_a_flow_that_takes_its_parameters(deployment: dict[str, Any]) -> None:
    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    assert isinstance(flow, Flow)
    taken = flow.validate_parameters(deployment["parameters"])
    assert deployment["parameters"].keys() <= taken.keys()


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_no_schedule_runs_before_someone_has_set_the_parameters(deployment: dict[str, Any]) -> None:
    assert all(schedule["active"] is False for schedule in deployment.get("schedules", []))


def test_a_misspelt_parameter_would_be_found() -> None:
    flow = load_flow_from_entrypoint(DEPLOYMENTS[0]["entrypoint"])
    with pytest.raises(Exception, match="workerz"):
        flow.validate_parameters({**DEPLOYMENTS[0]["parameters"], "config": {"pool": {"workerz": 1}}})
