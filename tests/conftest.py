"""Shared fixtures: the network is blocked but for this machine itself, and a small cohort is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

import deeppersona as dp


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def taxonomy() -> dp.Taxonomy:
    return dp.shipped_taxonomy()


@pytest.fixture(scope="session")
def people() -> dp.Population:
    return dp.generate(60, ["KE", "DE", "IN", "BR", "JP", "US"], seed=3)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, taxonomy: dp.Taxonomy) -> Path:
    out = tmp_path_factory.mktemp("run") / "small"
    dp.run(dp.make_plan(12, ["KE", "FR"], seed=4, depth=60), out, taxonomy)
    return out
