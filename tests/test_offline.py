"""While a store does not answer, no logged value is lost, and none is logged twice."""

import base64
import contextlib
import http.client
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import mlflow
import numpy as np
import pytest
import sqlalchemy

from fpgan.errors import InputError, Unavailable
from fpgan.tracking import outage, system_metrics
from fpgan.tracking.opening import experiment_id_of
from fpgan.tracking.pipeline_run import begin_pipeline_run, update_pipeline_run
from fpgan.tracking.query import ancestors, find_run, runs_by_id
from fpgan.tracking.run import Run, open_run
from fpgan.tracking.sending import sync
from fpgan.tracking.stored_run import PARENT_TAG, StoredRun

STEPS = 6
PICTURE = np.arange(12, dtype=np.uint8).reshape(3, 4)


class Server:
    """A real `mlflow server`, which takes seconds to start."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        store = f"sqlite:///{folder / 'server.db'}"
        options = ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")]
        options += ["--host", "127.0.0.1", "--workers", "1"]
        with (folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), *options],
                cwd=folder,
                env={key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TRACKING")}
                | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # a dozen processes that nothing needs
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Returns when it answers."""
        deadline = time.monotonic() + 900
        while True:
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/health") as answer:
                if answer.status == 200:
                    return
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gate:
    """An address at which a server answers while the gate is open, to requests with the credentials if any.

    A closed gate refuses connections, as a server does that was killed.
    """

    def __init__(self, server: Server, credentials: str | None = None) -> None:
        self.server = server
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.expected = "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else None
        self.listening: ThreadingHTTPServer | None = None

    def open(self) -> None:
        self.server.wait()
        expected, port = self.expected, self.server.port

        class Guard(BaseHTTPRequestHandler):
            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if expected and self.headers["Authorization"] != expected:
                    status, answer = 401, b"You are not authenticated."
                else:
                    inner = http.client.HTTPConnection("127.0.0.1", port)
                    kept = {key: value for key, value in self.headers.items() if key.lower() != "host"}
                    inner.request(self.command, self.path, body, kept)
                    response = inner.getresponse()
                    status, answer = response.status, response.read()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

            def log_message(self, *_: Any) -> None:
                pass

        self.listening = ThreadingHTTPServer(("127.0.0.1", self.port), Guard)
        threading.Thread(target=self.listening.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        if self.listening:
            self.listening.shutdown()
            self.listening.server_close()
            self.listening = None


@contextlib.contextmanager
def opened(key: str, resume: str | None = None, **tags: str) -> Iterator[Run]:
    with open_run(
        "train-gan/0",
        experiment="fpgan",
        params={"train_gan": {"steps": STEPS}},
        inputs={"eyes": (Path("data/eyes.h5"), "abc")},
        tags={"stage": "train-gan", **tags},
        description="A run.",
        key=key,
        resume=resume,
    ) as run:
        yield run


def log(run: Run, first: int, last: int) -> None:
    for step in range(first, last):
        run.metrics(step, {"loss/G": step / 8, "loss/F": step / 4, "wrong": float("nan")})
        run.picture(step, "translations/s2r", PICTURE + step)


def finish(run: Run, folder: Path) -> None:
    run.warn(5, "collapses")
    run.tag("precision", "fp32")
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures/a.txt").write_text("a")
    run.artifact(folder / "figures")
    (folder / "figures/a.txt").write_text("changed later")
    run.child("below", params={"a": "1"}, metrics={"b": 2.0}, tags={"c": "d"})


def contents(run_id: str) -> dict[str, Any]:
    """Everything in a run except times."""
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    names = [name for name in run.data.metrics if not name.startswith("system/")]
    pictures = [file.path for file in client.list_artifacts(run_id, "images")]
    below = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    own = ("fpgan.", "mlflow.log", "resumed")
    return {
        "status": run.info.status,
        "name": run.info.run_name,
        "params": run.data.params,
        "tags": {name: value for name, value in run.data.tags.items() if not name.startswith(own)},
        "inputs": [(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs],
        "metrics": {
            name: [(m.step, m.value) for m in client.get_metric_history(run_id, name)] for name in names
        },
        "pictures": sorted(path.split("+timestamp")[0] + Path(path).suffix for path in pictures),
        "figure": mlflow.artifacts.load_text(f"runs:/{run_id}/figures/a.txt"),
        "below": [
            (each.info.run_name, each.info.status, each.data.params, each.data.metrics) for each in below
        ],
    }


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Starts while the first tests run: the tests that need it are the last ones and wait for it."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    gate = Gate(server)
    yield gate
    gate.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
    (tmp_path / ".dvc").mkdir()
    return tmp_path


@pytest.fixture
def project_with_store(project: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, project)
    return project


def test_the_first_sample_of_the_machine_measures_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_metrics, "SECONDS", 0.2)
    sampled = system_metrics.SystemMetrics()
    samples: list[system_metrics.Sample] = []
    while not samples:
        samples = sampled.take()
    sampled.stop()
    assert samples[0]["values"][system_metrics.ALWAYS] > 0


def test_a_server_that_hangs_is_not_asked_by_every_stage(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    asked = []

    def hang(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                asked.append(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=hang, args=(listening,), daemon=True).start()
        pipeline = begin_pipeline_run("fpgan", "dvc repro", description="", tags={}, params={})
        first = len(asked)
        assert first > 0
        for key in ("one", "two"):
            with opened(key, **{PARENT_TAG: pipeline}):
                pass
            update_pipeline_run(pipeline, status="FINISHED", name=key, note="")
        assert len(asked) == first
        assert capsys.readouterr().err.count("does not answer (timed out)") == 2
        with pytest.raises(Unavailable, match="3 runs still wait"):
            sync()
        assert len(asked) > first, "`sync` asks the store during a known outage, too"
        listening.shutdown(socket.SHUT_RDWR)
    for connection in asked:
        connection.close()


def test_a_locked_store_receives_later_the_values_logged_meanwhile(
    project_with_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0)
    monkeypatch.setattr(outage, "RETRY_PATIENCE", 0)

    def impatient(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> Any:
        return statement.replace("busy_timeout = 20000", "busy_timeout = 50"), values

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", impatient, retval=True)
    try:
        with opened("locked") as run:
            log(run, 0, 2)
            other = sqlite3.connect(project_with_store / "mlflow.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            log(run, 2, 4)
            with pytest.raises(InputError, match="continues in another process"):
                sync()
            other.execute("ROLLBACK")
            other.close()
            log(run, 4, STEPS)
            finish(run, project_with_store)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", impatient)
    printed = capsys.readouterr().err
    assert "the MLflow store mlflow.db does not answer (database is locked)" in printed
    assert "answers again" in printed
    assert not list(project_with_store.glob(".fpgan/offline/*"))
    held = contents(run.id)
    assert held["metrics"]["loss/G"] == [(step, step / 8) for step in range(STEPS)]
    assert len(held["pictures"]) == 2 * STEPS
    assert held["status"] == "FINISHED"


def test_ancestors_are_found_by_the_ids_in_their_outputs(project_with_store: Path) -> None:
    """An output made during an outage names its run by the id of that time, for good."""
    with opened("above") as above:
        pass
    mlflow.MlflowClient().set_tag(above.id, "fpgan.offline_id", "f" * 32)
    with opened("below", **{"upstream.eyes": "f" * 32}) as below:
        pass
    found = find_run(below.id)
    assert found is not None
    assert above.id in ancestors(found, {})


def test_events_are_only_sent_to_the_store_they_are_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with opened("away") as away:
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    with opened("away", away.id) as again:
        log(again, 0, 2)
    assert again.id == away.id
    with pytest.raises(InputError, match=r"events are for http://127.0.0.1:1, .* is mlflow\.db"):
        sync()
    assert not (project / "mlflow.db").exists()


def test_an_experiment_made_elsewhere_gets_our_views(project_with_store: Path) -> None:
    with opened("first"):
        pass
    mlflow.create_experiment("theirs")
    experiment_id_of("theirs")
    ours, theirs = (mlflow.get_experiment_by_name(name) for name in ("fpgan", "theirs"))
    assert ours is not None
    assert theirs is not None
    assert set(theirs.tags) == set(ours.tags) >= {"mlflow.sharedViewState.stages"}
    made = theirs.tags["mlflow.sharedViewState.stages"]
    mlflow.MlflowClient().set_experiment_tag(theirs.experiment_id, "mlflow.sharedViewState.stages", "changed")
    experiment_id_of("theirs")
    kept = mlflow.get_experiment_by_name("theirs")
    assert kept is not None
    assert kept.tags["mlflow.sharedViewState.stages"] == "changed" != made


def interrupted_after(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupts `sync` after this number of events."""
    take, left = StoredRun.take, iter(range(events))

    def stops(self: StoredRun, *given: Any) -> None:
        take(self, *given)
        if next(left, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(StoredRun, "take", stops)
        sync()


def test_what_a_server_missed_is_sent_once(
    project: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{gate.address}")
    monkeypatch.setattr(system_metrics, "SECONDS", 0.01)
    # The server is absent from the start. The run fails and is resumed from a checkpoint after step 3.
    began = time.monotonic()
    with contextlib.suppress(RuntimeError), opened("absent") as absent:
        log(absent, 0, 5)
        raise RuntimeError
    with opened("absent", absent.id) as again:
        log(again, 3, STEPS)
        finish(again, project)
    assert again.id == absent.id
    pipeline = begin_pipeline_run("fpgan", "dvc repro", description="", tags={"stage": "pipeline"}, params={})
    with opened("below", **{PARENT_TAG: pipeline}) as below:
        pass
    update_pipeline_run(pipeline, status="FINISHED", name="dvc repro · 3.7 deg", note="Stages: train-gan")
    assert time.monotonic() - began < 20, "an absent server does not slow training down"
    printed = capsys.readouterr().err
    assert f"warning: the MLflow store http://{gate.address} does not answer (Connection refused)" in printed
    assert "`fpgan sync` sends them" in printed
    with pytest.raises(Unavailable, match="3 runs still wait"):
        sync()
    with next(project.glob(".fpgan/offline/*.jsonl")).open("a") as journal:
        journal.write('{"kind": "tag", "na')  # the machine stopped here

    gate.open()
    assert "waiting events of 3 runs have been sent" in sync()
    assert sync() == "nothing waits"
    with opened("whole", upstream=absent.id) as whole:
        log(whole, 0, STEPS)
        finish(whole, project)

    with opened("lost") as lost:
        log(lost, 0, 3)
        gate.close()
        killed = time.time()
        log(lost, 3, STEPS)
        finish(lost, project)
    gate.open()
    for events in range(0, 11, 3):
        interrupted_after(events, monkeypatch)
    assert len(list(project.glob(".fpgan/offline/*.jsonl"))) == 1
    with opened("next"):
        pass
    assert "waiting events of 1 runs have been sent" in capsys.readouterr().err
    assert not list(project.glob(".fpgan/offline/*"))

    begun, stage = find_run(pipeline), find_run(below.id)
    assert begun is not None
    assert stage is not None
    assert begun.status == "FINISHED"
    assert begun.tags["mlflow.runName"] == "dvc repro · 3.7 deg"
    assert begun.tags["mlflow.note.content"] == "Stages: train-gan"
    assert stage.tags[PARENT_TAG] == begun.id

    found = find_run(absent.id)
    assert found is not None
    assert [run.id for run in runs_by_id(absent.id[:8])] == [found.id]
    assert found.tags["resumed"] == "true"
    expected = contents(whole.id)
    assert expected["pictures"] == sorted(
        f"images/translations~s2r+step+{step}{kind}" for step in range(STEPS) for kind in (".png", ".webp")
    )
    assert expected["below"] == [("below", "FINISHED", {"a": "1"}, {"b": 2.0})]
    del expected["tags"]["upstream"]
    assert contents(found.id) == expected
    assert contents(lost.id) == expected
    for run_id in (found.id, lost.id):
        samples = mlflow.MlflowClient().get_metric_history(run_id, "system/cpu_utilization_percentage")
        assert [sample.step for sample in samples] == list(range(len(samples)))
        times = [sample.timestamp for sample in samples]
        assert times == sorted(set(times))
    assert times[0] < killed * 1000 < times[-1]


def test_credentials_open_the_store_and_are_written_nowhere(
    project: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = Gate(server, "me:top/secret")
    gate.open()
    with contextlib.closing(gate):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:wrong@{gate.address}")
        with pytest.raises(InputError, match="MLFLOW_TRACKING_PASSWORD") as refused, opened("guarded"):
            pass
        assert "wrong" not in str(refused.value)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:top%2Fsecret@{gate.address}")
        with opened("guarded") as run:
            log(run, 0, 2)
            finish(run, project)
        held = contents(run.id)
        assert held["status"] == "FINISHED"
    with opened("guarded") as away:
        log(away, 0, 2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:top/secret@127.0.0.1:1")
    with pytest.raises(InputError, match="%2F") as malformed, opened("guarded"):
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://me:secret@127.0.0.1:1")
    with (
        pytest.raises(InputError, match=r"htp://\*\*\*@127[.0:1]* is not an address of a store") as unknown,
        opened("guarded"),
    ):
        pass
    printed = capsys.readouterr()
    written = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    assert written, "the events that wait"
    assert not any(b"secret" in content for content in written)
    for text in (printed.out, printed.err, str(malformed.value), str(unknown.value), str(held), away.id):
        assert "secret" not in text
