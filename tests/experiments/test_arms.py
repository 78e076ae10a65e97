import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.arms import Groups, cell_key, designed
from ser_pipeline.experiments.spec import find_experiment, parse_experiment, shipped_names
from ser_pipeline.options import deciding, recipe

GROUPS = Groups(("emodb", "nemo", "savee"), {"de": ("emodb",), "en": ("savee",), "pl": ("nemo",)})


def design(text):
    return designed(parse_experiment(f'title = "T"\n{text}', "x.toml"), GROUPS)


def test_one_arm_and_claim_for_each_corpus():
    found = design(
        """
        [settings.train]
        epochs = 3
        [arms."from {corpus}"]
        each = "corpus"
        settings = { train_corpora = ["{corpus}"], train = { lr = 1 } }
        [[claims]]
        text = "{a} to {b}"
        each = "pair"
        first = "from {a}"
        second = "from {b}"
        corpora = ["{b}"]
        """
    )
    assert list(found.names) == ["from emodb", "from nemo", "from savee"]
    assert found.names["from nemo"].settings == {
        "train": {"epochs": 3, "lr": 1},
        "train_corpora": ["nemo"],
    }
    assert len(found.claims) == 6
    assert (found.claims[0].text, found.claims[0].corpora) == ("emodb to nemo", ("nemo",))


def test_a_language_stands_for_its_corpora():
    found = design('[arms."{language}"]\neach = "language"\nsettings = { train_corpora = "{corpora}" }')
    assert {name: arm.settings["train_corpora"] for name, arm in found.names.items()} == {
        "de": ["emodb"],
        "en": ["savee"],
        "pl": ["nemo"],
    }


def test_variations_are_spelled_out_and_named():
    found = design(
        '[arms.dnn]\nvary = { "train.loss" = ["ce", "focal"], "train.class_weights" = [true, false] }'
    )
    assert list(found.names) == [
        "dnn[train.loss=ce,train.class_weights=true]",
        "dnn[train.loss=ce,train.class_weights=false]",
        "dnn[train.loss=focal,train.class_weights=true]",
        "dnn[train.loss=focal,train.class_weights=false]",
    ]
    assert found.arms[3].settings == {"train": {"loss": "focal", "class_weights": False}}


def test_arms_run_under_the_protocols_of_their_claims():
    found = design(
        """
        [protocols]
        people = { split = "kfold" }
        clips = { split = "stratified" }
        [arms.a]
        [arms.b]
        [arms.c]
        [[claims]]
        text = "x"
        first = "a"
        second = "b"
        beside = "clips"
        [[claims]]
        text = "y"
        first = "c"
        second = "c"
        protocol = "clips"
        against = "people"
        """
    )
    assert {name: arm.protocols for name, arm in found.names.items()} == {
        "a": ("people", "clips"),
        "b": ("people", "clips"),
        "c": ("clips", "people"),
    }
    assert [(claim.protocol, claim.against) for claim in found.claims] == [
        ("people", "people"),
        ("clips", "people"),
    ]


def test_arms_and_protocols_that_do_not_exist_are_named():
    with pytest.raises(SettingsError, match="claim 'x': arm 'c' does not exist; valid are a"):
        design("[arms.a]\n[[claims]]\ntext = 'x'\nfirst = 'a'\nsecond = 'c'\n")
    with pytest.raises(SettingsError, match="arm 'a': protocol 'folds' does not exist; valid are speaker"):
        design("[arms.a]\nprotocols = ['folds']\n")
    with pytest.raises(SettingsError, match="claim 'x': protocol 'p' does not exist"):
        design("[arms.a]\n[[claims]]\ntext = 'x'\nfirst = 'a'\nsecond = 'a'\nbeside = 'p'\n")


def test_two_arms_of_one_name_are_refused():
    with pytest.raises(
        SettingsError, match=r"two arms are called 'one'; .*, as \[arms\.\"from \{corpus\}\"\]"
    ):
        design('[arms.one]\neach = "corpus"\nsettings = { train_corpora = ["{corpus}"] }')


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_experiment_fits_any_set_of_corpora(name):
    for groups in (GROUPS, Groups(("emodb",), {"de": ("emodb",)}), Groups((), {})):
        found = designed(find_experiment(name), groups)
        assert found.arms
        assert not any("{" in arm.name for arm in found.arms)


def test_the_source_report_is_measured_by_runs_of_the_others():
    paper, *others = (
        designed(find_experiment(name), GROUPS) for name in ("paper", "hypotheses", "ablations")
    )
    for arm in paper.arms:
        same = [other.names[arm.name] for other in others if arm.name in other.names]
        assert all(dict(arm.settings) == dict(other.settings) for other in same)
        assert {*arm.protocols} <= {protocol for other in same for protocol in other.protocols}
    claims = {claim.text: claim.protocol for claim in paper.claims}
    for other in others:
        for claim in other.claims:
            taken = (other is others[0] and claim.family != "encoder") or claim.family == "report"
            assert (claims.get(claim.text) == claim.protocol) is taken, claim.text
    assert not {"encoder", "mhsa", "resnet"} & {*paper.names}  # no claim of the source report is about them


def key(manifest="m", split="s", own=None, **changes):
    return cell_key(recipe(**changes), manifest_digest=manifest, split_digest=split, own_tasks=own)


DNN = {"model": {"name": "dnn"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"seed": 1}},
        {"train": {"loss": "focal"}},
        {"train": {"mixup": {"alpha": 0.3}}},
        {"normalise": "speaker"},
        {"feature_set": "egemaps"},
        {"features": {"pitch_floor_hz": 70.0}},
        {"task": "6class"},
        {"train_share": 0.5},
        {"train_corpora": ("emodb",)},
        {"corpora": ("emodb",)},
        {"merges": {"calm": "neutral"}},
        {"fold": "all"},
        {"manifest": "other"},
        {"split": "other"},
        {"own": {"4class": ["anger", "fear"]}},
    ],
)
def test_whatever_decides_a_number_changes_the_key(changes):
    pytest.importorskip("opensmile") if "feature_set" in changes else None
    assert key(**{**DNN, **changes}) != key(**DNN)


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"workers": 2}},
        {"train": {"device": "cpu"}},
        {"train": {"data_on": "host"}},
        {"train": {"log": "mlflow"}},
        {"front_end": {"n_mels": 80}},
    ],
)
def test_what_decides_nothing_does_not(changes):
    assert key(**DNN, **changes) == key(**DNN)


def test_an_epoch_more_is_another_network_but_not_another_classifier():
    more = {"train": {"epochs": 9}}
    assert key(**DNN, **more) != key(**DNN)
    svm = {"model": {"name": "svm"}}
    assert key(**svm, **more) == key(**svm)


def test_a_preset_is_the_settings_it_stands_for():
    assert "preset" not in deciding(recipe("paper"))
    assert deciding(recipe("paper")) != deciding(recipe())
