"""The files of `deploy/` fit each other, the repository, and what Dagster accepts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.workspace.config_schema import WORKSPACE_CONFIG_SCHEMA

from tests.postgres_server import PostgresServer
from tests.scale.deployment import DEPLOY, compose
from tests.scale.scaling_numbers import DOCUMENT, with_table
from visualsearch_pipeline.settings import LEDGER_URL_VARIABLE, load_settings

ROOT = DEPLOY.parent
ONLY_ONE_MACHINE = {"run_launcher", "storage"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def environment_names(value: object) -> set[str]:
    """Every variable that a file of Dagster's names as `env: NAME`."""
    if isinstance(value, dict):
        named = {value["env"]} if set(value) == {"env"} else set()
        return named.union(*map(environment_names, value.values()))
    return set().union(*map(environment_names, value)) if isinstance(value, list) else set()


def in_snake_case(value: object) -> object:
    """What the chart makes of its values: the same keys, as `dagster.yaml` spells them."""
    if not isinstance(value, dict):
        return value
    return {re.sub(r"(?=[A-Z])", "_", key).lower(): in_snake_case(inner) for key, inner in value.items()}


def test_several_machines_differ_from_one_in_storage_launcher_and_pools_only() -> None:
    one, several = load(ROOT / "dagster.yaml"), load(DEPLOY / "dagster.yaml")
    assert several["concurrency"]["pools"].pop("default_limit") > one["concurrency"]["pools"].pop("default_limit")
    for settings in (one, several):
        settings["run_monitoring"].pop("max_runtime_seconds")
    assert {key: one[key] for key in one.keys() - ONLY_ONE_MACHINE} == {
        key: several[key] for key in several.keys() - ONLY_ONE_MACHINE
    }


def test_every_variable_that_a_file_needs_is_given_to_the_containers() -> None:
    given = set(compose()["x-pipeline"]["environment"])
    needed = environment_names(load(DEPLOY / "dagster.yaml")) | environment_names(load(DEPLOY / "workspace.yaml"))
    needed |= set(re.findall(r'os\.environ\["(\w+)"\]', (DEPLOY / "dagster_celery_config.py").read_text()))
    assert needed
    assert needed <= given
    assert LEDGER_URL_VARIABLE in given


def test_dagster_accepts_the_instance_and_stores_in_postgresql(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres.make_database().rpartition("/")[2]
    for name, value in compose()["x-pipeline"]["environment"].items():
        monkeypatch.setenv(name, str(value))
    for name, value in (("PGHOST", "127.0.0.1"), ("PGPORT", str(postgres.port)), ("PGUSER", "postgres")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_POSTGRES_DB", database)
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == "CeleryRunLauncher"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert instance.event_log_storage.supports_global_concurrency_limits

        @dg.asset
        def stored() -> int:
            return 1

        assert dg.materialize([stored], instance=instance).success
        assert instance.get_latest_materialization_event(dg.AssetKey("stored")) is not None


def test_dagster_accepts_the_workspace_and_finds_the_location_where_it_was() -> None:
    workspace = load(DEPLOY / "workspace.yaml")
    assert set(workspace) <= set(WORKSPACE_CONFIG_SCHEMA)
    (location,) = workspace["load_from"]
    (local,) = load(ROOT / "workspace.yaml")["load_from"]
    assert location["grpc_server"]["location_name"] == local["python_module"]["location_name"]


def test_the_settings_are_accepted_and_name_nothing_that_only_one_machine_has() -> None:
    environ = {LEDGER_URL_VARIABLE: compose()["x-pipeline"]["environment"][LEDGER_URL_VARIABLE]}
    settings = load_settings(DEPLOY / "visualsearch.yaml", environ=environ)
    assert settings.limits_url == settings.ledger_database_url == "postgresql:///visualsearch"
    shared = (settings.source.path, settings.warehouse_root, settings.archive_root, settings.database_path)
    assert all(str(place).startswith("s3://") for place in shared)


def test_every_file_that_the_containers_are_given_is_there_and_reaches_the_image() -> None:
    mounted = {
        volume.split(":")[0]
        for service in compose()["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    }
    copied = set()
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            copied.update(line.split()[1:-1])
    assert mounted
    assert copied
    assert [path for path in mounted if not (DEPLOY / path).exists()] == []
    assert [path for path in copied if not (ROOT / path).exists()] == []
    let_through = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    assert {path.removeprefix("./").split("/")[0] for path in copied} <= let_through


def test_the_image_has_what_the_lock_has() -> None:
    pins = dict(
        re.findall(r"^([a-z0-9][\w.-]*(?:\[[\w,-]+\])?)==(\S+)", (DEPLOY / "requirements.txt").read_text(), re.M)
    )
    locked = dict(
        re.findall(r"^([a-z0-9][\w.-]*(?:\[[\w,-]+\])?)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.M)
    )
    assert {name: version for name, version in pins.items() if locked.get(name) != version} == {}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for requirement in (*extras["postgres"], *extras["celery"], *extras["s3"]):
        assert re.split(r"[><=]", requirement)[0] in pins


def test_helm_runs_the_same_code_from_the_same_place() -> None:
    values = load(DEPLOY / "helm-values.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    command = compose()["services"]["code"]["command"]
    assert deployment["codeServerArgs"] == command[command.index("--module-name") :]


def test_helm_gives_the_instance_what_compose_gives_it() -> None:
    values, instance = load(DEPLOY / "helm-values.yaml"), load(DEPLOY / "dagster.yaml")
    daemon = values["dagsterDaemon"]
    queued = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queued["maxConcurrentRuns"] == instance["concurrency"]["runs"]["max_concurrent_runs"]
    monitoring = daemon["runMonitoring"]
    assert in_snake_case(monitoring) == {
        # A job of Kubernetes needs longer to begin than a worker that waits for it.
        **instance["run_monitoring"],
        "start_timeout_seconds": monitoring["startTimeoutSeconds"],
    }
    assert in_snake_case(daemon["runRetries"]) == instance["run_retries"]
    # The chart writes them into the file only when they are enabled.
    concurrency, retention = values["concurrency"], values["retention"]
    assert concurrency.pop("enabled")
    assert retention.pop("enabled")
    assert in_snake_case(concurrency) == {"pools": instance["concurrency"]["pools"]}
    assert in_snake_case(retention) == instance["retention"]
    assert values["additionalInstanceConfig"] == {"freshness": instance["freshness"]}


def test_the_numbers_of_the_document_follow_from_limits_and_prices() -> None:
    text = DOCUMENT.read_text()
    assert text == with_table(text), "type `python -m tests.scale.scaling_numbers`"
