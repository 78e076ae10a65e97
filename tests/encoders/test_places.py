from pathlib import Path

import pytest

from ser_pipeline.encoders import KNOWN, download, encoder_folders, known_encoder, locate
from ser_pipeline.errors import EncoderError


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """A machine without encoders."""
    for name in ("SER_ENCODERS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)


def folder_of(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


def test_a_folder_is_found_as_it_is_and_named_by_its_last_part(tmp_path):
    folder = folder_of(tmp_path / "mine" / "tuned")
    found = locate("mine/tuned")
    assert (found.name, found.folder) == ("tuned", folder)


@pytest.mark.parametrize("asked", ["whisper-base", "openai/whisper-base"])
def test_a_known_encoder_is_found_in_the_folders_given(tmp_path, asked):
    folder = folder_of(tmp_path / "b" / "whisper-base")
    found = locate(asked, (tmp_path / "a", tmp_path / "b"))
    assert (found.name, found.folder) == ("whisper-base", folder)


def test_folders_come_from_the_option_and_the_environment(monkeypatch):
    monkeypatch.setenv("SER_ENCODERS", "one:two")
    assert encoder_folders(Path("given")) == (Path("given"), Path("one"), Path("two"))
    monkeypatch.delenv("SER_ENCODERS")
    assert encoder_folders() == ()


def cached(tmp_path: Path, hub_id: str) -> Path:
    """A snapshot in the hub's cache."""
    repository = tmp_path / "hf" / "hub" / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0a1b")
    return folder_of(repository / "snapshots" / "0a1b")


@pytest.mark.parametrize(
    ("asked", "name"), [("whisper-base", "whisper-base"), ("someone/mine", "mine"), ("mine", "mine")]
)
def test_an_encoder_is_found_in_the_hubs_cache(tmp_path, asked, name):
    folder = cached(tmp_path, "openai/whisper-base" if asked == "whisper-base" else "someone/mine")
    found = locate(asked)
    assert (found.name, found.folder) == (name, folder)
    assert locate(str(folder)).name == name


def test_a_folder_does_not_say_whose_encoder_it_holds(tmp_path):
    folders = [tmp_path / "all"]
    ours, theirs = (folder_of(folders[0] / name) for name in ("mine", "whisper-base"))
    assert locate("someone/mine", folders).folder == ours
    with pytest.raises(EncoderError, match="a folder whisper-base is taken for openai/whisper-base; "):
        locate("someone/whisper-base", folders)
    for name in ("mine", "whisper-base"):
        folder = cached(tmp_path, f"someone/{name}")
        assert locate(f"someone/{name}", folders).folder == folder
    assert [locate(name, folders).folder for name in ("mine", "whisper-base")] == [ours, theirs]


def test_a_name_that_several_organisations_use_is_no_answer(tmp_path):
    for owner in ("one", "two"):
        cached(tmp_path, f"{owner}/mine")
    with pytest.raises(
        EncoderError, match=r"'mine': the hub's cache holds several \(one/mine, two/mine\); name"
    ):
        locate("mine")
    assert locate("two/mine").folder.parts[-3] == "models--two--mine"


def test_nobody_needs_a_home(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it is where there is none
    for name in ("HF_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SER_ENCODERS", "~/encoders")
    for asked in ("~/mine", "mine", "someone/mine"):
        with pytest.raises(EncoderError, match="not on this machine"):
            locate(asked, encoder_folders())


def test_a_pinned_revision_is_its_own_snapshot(tmp_path):
    known = known_encoder("wavlm-large")
    snapshots = tmp_path / "hf" / "hub" / "models--microsoft--wavlm-large" / "snapshots"
    folder = folder_of(snapshots / known.revision)
    assert locate("wavlm-large").folder == folder


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "whisper-base",
            r"'ser cache embeddings --encoder whisper-base --download' fetches it \(290 MB, MIT\)",
        ),
        ("someone/mine", "--download' fetches it, or name its folder"),
        ("whisper-bse", "a hub id such as openai/whisper-base, or one of whisper-tiny.en, whisper-base"),
        ("./no/folder", "name a folder, a hub id"),
        ("", "name a folder, a hub id"),
    ],
)
def test_an_encoder_that_is_not_here_says_how_to_get_it(asked, said):
    with pytest.raises(EncoderError, match=f"encoder '{asked}': not on this machine .*{said}"):
        locate(asked)


def test_every_known_encoder_states_its_facts():
    names = [known.name for known in KNOWN]
    assert len(set(names)) == len(names)
    for known in KNOWN:
        assert known.licence
        assert known.languages
        assert known.hub_id.endswith(known.name)
        assert known.meant_for in ("laptop", "GPU")


def test_only_safetensors_and_settings_are_fetched(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def snapshot(hub_id, **options):
        asked.update(options, hub_id=hub_id)
        return str(folder_of(tmp_path / "fetched"))

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    found = download("wavlm-large")
    assert (found.name, found.folder) == ("wavlm-large", tmp_path / "fetched")
    assert asked["hub_id"] == "microsoft/wavlm-large"
    assert asked["revision"] == known_encoder("wavlm-large").revision
    assert all(name.endswith((".json", ".safetensors")) for name in asked["allow_patterns"])


def test_what_cannot_be_fetched_says_so_in_one_line(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def snapshot(hub_id, **options):
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(EncoderError, match=r"\Aopenai/whisper-base: cannot be fetched: no route to host\Z"):
        download("whisper-base")
    with pytest.raises(EncoderError, match="--download mine: is not a hub id"):
        download("mine")
