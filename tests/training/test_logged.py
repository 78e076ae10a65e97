import csv
import json
import socket
import struct
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from ser_pipeline import ensemble, resume, train
from ser_pipeline.api import Watcher
from ser_pipeline.errors import SettingsError
from ser_pipeline.options import Recipe
from ser_pipeline.runs.files import read_info, read_result
from ser_pipeline.training.logged import TRACKERS, Logged, ToldTrackers, facts_of, final_values


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What the machine says of trackers does not reach the tests, and no test asks for a machine by name."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    asked, look_up = [], socket.getaddrinfo

    def looked_up(host, *words, **options):
        asked.append(host)
        return look_up(host, *words, **options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    yield
    assert {*asked} <= {"127.0.0.1", "localhost"}


def places(toy, folder):
    return {"manifests": toy.manifests, "cache": toy.cache, "runs": folder / "runs"}


@pytest.fixture
def fit(toy, tmp_path):
    """Train on the toy for two epochs, with these trackers."""

    def run(*log, name="r", model="crnn", watcher=None, epochs=2, **changes):
        if model != "crnn":
            toy.write_features()
        recipe = toy.recipe(model={"name": model}, train={"log": log, "epochs": epochs}, **changes)
        return train(recipe, name=name, watcher=watcher or Quiet(), settings=None, **places(toy, tmp_path))

    return run


class Quiet(Watcher):
    """Keeps what it is warned of."""

    def __init__(self):
        self.warnings = []

    def warn(self, sentence):
        self.warnings.append(sentence)


def lines_of(folder):
    """Lines of ``metrics.csv``, each as column -> number."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def curves(lines, fold=""):
    """The same as what trackers show: name -> (epoch, value)."""
    found = defaultdict(list)
    for line in lines:
        for name, value in line.items():
            if name != "epoch":
                found[f"{fold}{name}"].append((int(line["epoch"]), pytest.approx(value, rel=1e-6)))
    return found


def events(folder):
    """Scalars in TensorBoard's files, as name -> (step, value), and the settings beside them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    scalars = {
        tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]
    }
    return scalars, read.summary_metadata


def records(folder):
    """Records in W&B's files: a log of blocks of 32 KiB after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        content, at, whole = path.read_bytes(), 7, b""
        while at + 7 <= len(content):
            if 32_768 - at % 32_768 < 7:
                at += 32_768 - at % 32_768
                continue
            _, size, kind = struct.unpack("<IHB", content[at : at + 7])
            whole += content[at + 7 : at + 7 + size]
            at += 7 + size
            if kind in (1, 4):  # whole, or the last piece
                found.append(Record.FromString(whole))
                whole = b""
    return found


def test_tensorboard_shows_each_epoch_and_the_scores(fit):
    run = fit("tensorboard")
    scalars, about = events(run.folder)
    known = curves(lines_of(run.folder))
    assert {name: scalars[name] for name in known} == known
    best = run.info.best_epoch
    uar = run.part().pooled.uar
    assert scalars["test_uar"] == [(best, pytest.approx(uar.value))]
    assert scalars["test_uar_low"] == [(best, pytest.approx(uar.low))]
    assert scalars["test_uar_high"] == [(best, pytest.approx(uar.high))]
    assert scalars["parameters"] == [(best, run.info.parameters)]
    assert "_hparams_/session_start_info" in about
    told = (run.folder / "tensorboard" / "hparams.yaml").read_text()
    assert "train.epochs: 2" in told
    assert f"manifest_digest: {run.info.manifest_digest}" in told
    assert not [name for name in run.folder.iterdir() if name.name in ("wandb", "mlflow")]


def test_a_resumed_run_goes_on_where_it_was(fit, toy, tmp_path):
    run = fit("tensorboard", epochs=1)
    files = sorted((run.folder / "tensorboard").glob("events*"))
    resume(run, epochs=3, **places(toy, tmp_path))
    scalars, _ = events(run.folder)
    known = curves(lines_of(run.folder))
    assert {name: scalars[name] for name in known} == known
    assert [step for step, _ in scalars["train_loss"]] == [1, 2, 3]
    assert files < sorted((run.folder / "tensorboard").glob("events*"))
    before = {path: path.stat().st_size for path in (run.folder / "tensorboard").iterdir()}
    resume(run, **places(toy, tmp_path))  # nothing is left to be told
    assert {path: path.stat().st_size for path in (run.folder / "tensorboard").iterdir()} == before


def test_an_interrupted_training_has_logged_its_epochs(fit, toy, tmp_path):
    class Stops(Quiet):
        def epoch_done(self, report):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("tensorboard", watcher=Stops())
    folder = tmp_path / "runs" / "r"
    scalars, _ = events(folder)
    assert [step for step, _ in scalars["train_loss"]] == [1]
    assert "test_uar" not in scalars
    resume(folder, **places(toy, tmp_path))
    scalars, _ = events(folder)
    assert [step for step, _ in scalars["train_loss"]] == [1, 2]
    assert "test_uar" in scalars


def test_a_finished_run_is_logged_later(fit, toy, tmp_path):
    run = fit(model="svm")
    assert not (run.folder / TRACKERS).exists()
    resume(run, log="tensorboard", **places(toy, tmp_path))
    scalars, _ = events(run.folder)
    assert scalars["validation_uar"] == curves(lines_of(run.folder))["validation_uar"]
    assert scalars["test_uar"] == [(1, pytest.approx(run.part().pooled.uar.value))]


def test_folds_stand_side_by_side_below_their_pooled_scores(fit):
    run = fit("tensorboard", model="svm", split="loco", fold="all")
    scalars, _ = events(run.folder)
    for fold in ("fold-0", "fold-1"):
        known = curves(lines_of(run.folder / fold), f"{fold}/")
        assert {name: scalars[name] for name in known} == known
        own = final_values(run.folder / fold, read_info(run.folder / fold))["test_uar"]
        assert scalars[f"{fold}/test_uar"] == [(0, pytest.approx(own))]
        assert not (run.folder / fold / "tensorboard").exists()
    assert scalars["test_uar"] == [(0, pytest.approx(run.part().pooled.uar.value))]


def test_an_ensemble_logs_its_scores(fit, toy, tmp_path):
    members = [fit(name=name, model=model) for name, model in (("a", "svm"), ("b", "logreg"))]
    known = {"manifests": toy.manifests, "runs": tmp_path / "runs"}
    run = ensemble(members, name="both", log="tensorboard", **known)
    assert run.info.command == f"ensemble({[str(each.folder) for each in members]!r})"
    scalars, _ = events(run.folder)
    assert scalars["test_uar"] == [(run.info.best_epoch, pytest.approx(run.part().pooled.uar.value))]
    assert "train_loss" not in scalars


def test_ratings_have_intervals_as_well(toy, fit):
    toy.write_manifest(ratings=[row[3] / 4 for row in toy.rows])
    run = fit("tensorboard", model="logreg", target="valence")
    scalars, _ = events(run.folder)
    valence = run.rated().pooled[0]
    assert scalars["test_valence_ccc"] == [(1, pytest.approx(valence.ccc.value))]
    assert scalars["test_valence_mae_low"] == [(1, pytest.approx(valence.mae.low))]


def test_settings_are_those_that_have_an_effect(fit):
    run = fit(model="svm")
    told = facts_of(run.info, run.folder, "a run")
    assert (told["model.name"], told["train.seed"], told["seed"], told["fold"]) == ("svm", 0, 0, "none")
    assert (told["run"], told["clips.test"], told["split"]) == ("a run", 24, "speaker")
    assert told["version.ser-pipeline"]
    assert told["folder"] == str(run.folder)
    unused = {"train.epochs", "model.attention", "train.log", "front_end.n_mels", "augment.noise_p"}
    assert not unused & told.keys()
    network = facts_of(run.info.model_copy(update={"recipe": Recipe(train={"copies": 1})}), run.folder, "r")
    assert {"train.spec_augment.fill", "train.random_crop", "augment.noise_p"} <= network.keys()
    assert "train.random_crop.share" not in network
    for digest in ("manifest_digest", "store_fingerprint"):
        assert told[digest] == getattr(run.info, digest)


def test_another_process_logs_nothing(tmp_path):
    logged = Logged(tmp_path, ["tensorboard"], SimpleNamespace(epoch_began=lambda *_: None))
    logged._process += 1  # as when Lightning starts it there
    (tmp_path / "settings.json").write_text("no settings")
    logged.epoch_began(1, 1)
    assert not (tmp_path / TRACKERS).exists()
    assert logged.__getstate__()["_open"] == {}


def test_a_library_that_is_missing_is_said_before_a_folder_is_made(fit, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.training.trackers.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[wandb\]'"):
        fit("wandb")
    assert not (tmp_path / "runs").exists()


def mlflow_run(uri):
    """The only run in a store of MLflow, and the whole history of its metrics."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'ser'")
    (run,) = client.search_runs([experiment.experiment_id])
    told = {
        name: [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return run, told


def test_mlflow_keeps_runs_in_a_database_beside_their_folders(fit, toy, tmp_path, capfd):
    run = fit("mlflow", epochs=1)
    assert capfd.readouterr() == ("", "")
    uri = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    first, _ = mlflow_run(uri)
    resume(run, epochs=2, **places(toy, tmp_path))
    kept, told = mlflow_run(uri)
    assert kept.info.run_id == first.info.run_id
    assert (kept.info.run_name, kept.info.status) == ("r", "FINISHED")
    assert kept.data.params["train.epochs"] == "1"  # as it began
    assert kept.data.params["store_fingerprint"] == run.info.store_fingerprint
    known = curves(lines_of(run.folder))
    assert {name: told[name] for name in known} == known
    assert "test_uar_low" in told
    assert read_result(ToldTrackers, run.folder / TRACKERS).trackers["mlflow"].key == kept.info.run_id


class Routes(BaseHTTPRequestHandler):
    """What MLflow's server says to a client that logs a run; keeps what it is told."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        """Say nothing."""

    def do_GET(self):
        self.answer(*self.server.told.got(self.path.partition("?")[0]))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(*self.server.told.posted(self.path, body))

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server:
    """A server on the loopback, which stops answering after so many epochs."""

    def __init__(self, epochs=None):
        self.batches, self.left = [], epochs
        self.status, self.tags, self.lost = None, [], []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Routes)
        self.http.told = self
        self.uri = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def got(self, path):
        if path.endswith("/experiments/get-by-name"):
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
        if path.endswith("/runs/get"):
            return 200, {"run": self.run}
        self.lost.append(path)
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path}

    def posted(self, path, body):
        if path.endswith("/runs/log-batch"):
            told = sum("metrics" in batch for batch in self.batches)
            if self.left is not None and "metrics" in body and told >= self.left:
                return 500, {"error_code": "INTERNAL_ERROR", "message": "the disk is full"}
            self.batches.append(body)
            return 200, {}
        if path.endswith("/experiments/create"):
            return 200, {"experiment_id": "7"}
        if path.endswith("/runs/create"):
            self.tags, self.status = body["tags"], "RUNNING"
            return 200, {"run": self.run}
        if path.endswith("/runs/update"):
            self.status = body["status"]
            return 200, {"run_info": self.run["info"]}
        self.lost.append(path)
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path}

    @property
    def run(self):
        info = {"run_id": "abc", "run_uuid": "abc", "experiment_id": "7", "status": self.status}
        return {"info": info | {"artifact_uri": "mlflow-artifacts:/7/abc"}, "data": {}}

    def metrics(self):
        told = defaultdict(list)
        for batch in self.batches:
            for each in batch.get("metrics", []):
                told[each["key"]].append((int(each.get("step", 0)), each["value"]))
        return told


@pytest.fixture
def serve(monkeypatch):
    """Start a server, and send MLflow there."""
    servers = []

    def start(epochs=None):
        servers.append(Server(epochs))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", servers[-1].uri)
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def test_mlflow_sends_to_the_server_that_the_environment_names(fit, serve, tmp_path):
    server = serve()
    run = fit("mlflow", model="svm")
    known = curves(lines_of(run.folder))
    told = server.metrics()
    assert {name: told[name] for name in known} == known
    assert told["test_uar"] == [(1, pytest.approx(run.part().pooled.uar.value))]
    params = {each["key"]: each["value"] for batch in server.batches for each in batch.get("params", [])}
    assert (params["model.name"], params["manifest_digest"]) == ("svm", run.info.manifest_digest)
    assert {"key": "mlflow.runName", "value": "r"} in server.tags
    assert (server.status, server.lost) == ("FINISHED", [])
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_server_that_fails_ends_no_training_and_catches_up(fit, serve, toy, tmp_path):
    server, watcher = serve(epochs=1), Quiet()
    run = fit("mlflow", "tensorboard", watcher=watcher, epochs=3)
    (warning,) = watcher.warnings
    assert warning.startswith("mlflow is left out from here on: ")
    assert "log-batch failed" in warning
    assert "\n" not in warning
    assert f"'ser train --resume {run.folder}' logs what is missing" in warning
    assert [step for step, _ in server.metrics()["train_loss"]] == [1]
    assert len(events(run.folder)[0]["train_loss"]) == 3
    server.left = None
    resume(run, **places(toy, tmp_path))
    assert [step for step, _ in server.metrics()["train_loss"]] == [1, 2, 3]
    assert server.status == "FINISHED"


def test_a_server_that_is_not_there_ends_no_training(fit, serve):
    server, watcher = serve(), Quiet()
    server.http.shutdown()
    server.http.server_close()
    run = fit("mlflow", model="svm", watcher=watcher)
    (warning,) = watcher.warnings
    assert "mlflow is left out from here on: " in warning
    assert run.part().pooled.clips == 24


def test_whoever_watches_nothing_gets_a_warning_of_python():
    with pytest.warns(UserWarning, match="the server is gone"):
        Watcher().warn("the server is gone")


def test_wandb_writes_into_the_runs_folder(fit, toy, tmp_path):
    run = fit("wandb", epochs=1)
    resume(run, epochs=2, **places(toy, tmp_path))
    assert len(list(run.folder.glob("wandb/offline-run-*"))) == 2
    found = records(run.folder)
    begun = [each.run for each in found if each.HasField("run")]
    assert [(each.display_name, each.project, each.run_id) for each in begun] == [
        ("r", "ser", read_result(ToldTrackers, run.folder / TRACKERS).trackers["wandb"].key)
    ] * 2
    config = {
        item.key or item.nested_key[0]: json.loads(item.value_json)
        for each in found
        for item in (*each.run.config.update, *each.config.update)
    }
    assert (config["train.epochs"], config["manifest_digest"]) == (1, run.info.manifest_digest)
    told = defaultdict(list)
    for each in found:
        values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in each.history.item}
        for name, value in values.items():
            told[name].append((values["trainer/global_step"], value))
    known = curves(lines_of(run.folder))
    assert {name: told[name] for name in known} == known
    assert told["test_uar_high"][0][1] == pytest.approx(run.part().pooled.uar.high)
    assert [each.exit.exit_code for each in found if each.HasField("exit")] == [0, 0]


def test_a_server_of_wandb_that_is_not_there_ends_no_training(fit, serve, monkeypatch):
    server, watcher = serve(), Quiet()
    server.http.shutdown()
    server.http.server_close()
    online = {"MODE": "online", "BASE_URL": server.uri, "API_KEY": "k" * 40, "INIT_TIMEOUT": "1"}
    for name, value in online.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    run = fit("wandb", model="svm", watcher=watcher)
    (warning,) = watcher.warnings
    assert warning.startswith("wandb is left out from here on: ")
    assert server.uri in warning
    assert run.part().pooled.clips == 24
