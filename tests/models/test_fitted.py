import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.linear_model import LogisticRegression

from ser_pipeline.models.build import build_model, parameter_count
from ser_pipeline.models.estimators import CANDIDATES, make_estimator, make_rater
from ser_pipeline.models.fitted import DEEPEST, EstimatorNetwork, Trees, ratings_of
from ser_pipeline.options import ModelOptions

NAMES = sorted(CANDIDATES)


@pytest.fixture
def vectors(rng):
    targets = np.repeat([0, 1, 3], 20)
    return (rng.standard_normal((60, 6)) + targets[:, None]).astype(np.float32), targets


def said(network, values):
    with torch.inference_mode():
        return network(torch.from_numpy(values), torch.ones(len(values))).exp().numpy()


def copied(network, **options):
    """What a file of its numbers becomes, in a network of the same kind that is built anew."""
    content = safetensors.torch.save({k: v.contiguous() for k, v in network.fitted_state().items()})
    made = build_model(ModelOptions(**options), 6, network.classes, rates=network.only_rates)
    made.load_fitted(safetensors.torch.load(content))
    return made


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_scikit_learn_says(vectors, rng, name):
    values, targets = vectors
    estimator = make_estimator(name, 0.1, balanced=True, seed=0).fit(values, targets)
    network, others = EstimatorNetwork.of(name, estimator, 4), rng.normal(1, 3, (500, 6)).astype(np.float32)
    for clips in (values, others):
        told = said(network, clips)
        assert told[:, [0, 1, 3]] == pytest.approx(estimator.predict_proba(clips), abs=1e-5)
        assert told[:, 2] == pytest.approx(1e-7)  # never seen, never said
    assert np.array_equal(said(copied(network, name=name), others), told)


@pytest.mark.parametrize("name", NAMES)
def test_of_two_classes_it_says_the_same(vectors, rng, name):
    values, _ = vectors
    targets = np.where(values[:, 0] + rng.standard_normal(60) > 1, 4, 1)
    estimator = make_estimator(name, 0.1, balanced=False, seed=0).fit(values, targets)
    told = said(EstimatorNetwork.of(name, estimator, 5), values)
    assert told[:, [1, 4]] == pytest.approx(estimator.predict_proba(values), abs=1e-5)
    assert told[:, [0, 2, 3]] == pytest.approx(1e-7)


def test_values_at_the_very_thresholds_of_a_tree_go_where_scikit_learn_sends_them(vectors):
    values, targets = vectors
    estimator = make_estimator("gboost", 0.1, balanced=True, seed=0).fit(values, targets)
    at = np.concatenate([tree.nodes["num_threshold"] for trees in estimator._predictors for tree in trees])
    near = np.unique(at.astype(np.float32))
    around = np.concatenate([near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))])
    clips = np.repeat(around[:, None], 6, axis=1)
    told = said(EstimatorNetwork.of("gboost", estimator, 4), clips)
    assert told[:, [0, 1, 3]] == pytest.approx(estimator.predict_proba(clips), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_far_outliers_have_probabilities(vectors, name):
    network = EstimatorNetwork.of(name, make_estimator(name, 0.1, balanced=True, seed=0).fit(*vectors), 4)
    told = said(network, np.array([[1e9] * 6, [-1e9] * 6], np.float32))
    assert told.sum(1) == pytest.approx(1, abs=1e-5)


def test_the_numbers_are_counted(vectors):
    values, targets = vectors
    for name in ("logreg", "svm"):
        fitted = make_estimator(name, 0.1, balanced=False, seed=0).fit(values, targets)
        assert parameter_count(EstimatorNetwork.of(name, fitted, 4)) == 4 * 7
    fitted = make_estimator("gboost", 0.1, balanced=False, seed=0).fit(values, targets)
    nodes = sum(len(tree.nodes) for trees in fitted._predictors for tree in trees)
    assert parameter_count(EstimatorNetwork.of("gboost", fitted, 4)) == nodes + 4


def test_no_clips_have_no_scores(vectors):
    for name in NAMES:
        fitted = make_estimator(name, 0.1, balanced=True, seed=0).fit(*vectors)
        assert said(EstimatorNetwork.of(name, fitted, 4), np.zeros((0, 6), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("name", NAMES)
def test_ratings_are_those_of_the_regressions_within_the_scale(vectors, name):
    values, targets = vectors
    classifier = make_estimator(name, 0.1, balanced=True, seed=0).fit(values, targets)
    wanted = (targets - 1.0, 5.0 * targets, values[:, 0])
    raters = [make_rater(name, 0.1, seed=0).fit(values, each) for each in wanted]
    network = EstimatorNetwork.of(name, classifier, 4)
    assert not network.rates
    network.ratings = ratings_of(name, raters)
    alone, plain = (
        EstimatorNetwork.rating(name, raters),
        np.stack([each.predict(values) for each in raters], 1),
    )
    for each in (network, alone, copied(network, name=name, dimensions=True), copied(alone, name=name)):
        with torch.inference_mode():
            rated = each.rate(torch.from_numpy(values)).numpy()
        assert each.rates
        assert rated == pytest.approx(np.clip(plain, -1, 1), abs=1e-5)
        assert rated.max() == 1.0 < plain.max()
        assert each.rate(torch.zeros(0, 6)).shape == (0, 3)
    assert (network.only_rates, alone.only_rates) == (False, True)
    assert parameter_count(network) == parameter_count(alone) + parameter_count(network.scores)


def test_without_regressions_it_does_not_rate(vectors):
    network = EstimatorNetwork.of("logreg", LogisticRegression().fit(*vectors), 4)
    with pytest.raises(TypeError, match="this EstimatorNetwork does not rate valence, arousal and dominance"):
        network.rate(torch.zeros(1, 6))


@pytest.mark.parametrize(
    ("table", "where", "value"),
    [
        ("nodes", (0, 0), 6), ("nodes", (0, 0), -1), ("nodes", (0, 1), 10**6), ("nodes", (3, 2), 0),
        ("nodes", (0, 1), 0), ("roots", (0, 0), 10**6), ("roots", (0, 0), -1), ("roots", (0, 1), 4),
    ],
)  # fmt: skip
def test_trees_that_lead_nowhere_are_refused(vectors, table, where, value):
    fitted = make_estimator("gboost", 0.1, balanced=True, seed=0).fit(*vectors)
    state = {
        name: each.clone() for name, each in EstimatorNetwork.of("gboost", fitted, 4).state_dict().items()
    }
    state[f"scores.{table}"][where] = value
    with pytest.raises(ValueError, match="its table of trees has nodes or outputs that do not exist"):
        build_model(ModelOptions(name="gboost"), 6, 4).load_fitted(state)


def test_trees_of_another_kind_are_refused(vectors):
    fitted = make_estimator("gboost", 0.1, balanced=True, seed=0).fit(*vectors)
    state = EstimatorNetwork.of("gboost", fitted, 4).state_dict()
    for other, kind, match in (
        ({}, ValueError, "its trees are not those of 3 outputs"),
        (state, ValueError, "its trees are not those of 3 outputs"),
        ({**state, "more": torch.ones(1)}, RuntimeError, "Unexpected key"),
    ):
        with pytest.raises(kind, match=match):
            build_model(ModelOptions(name="gboost"), 6, 3 if match.endswith("outputs") else 4).load_fitted(
                other
            )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("nodes", lambda table: table.float()), ("nodes", lambda table: table.int()),
        ("nodes", lambda table: table[:, :2]), ("nodes", lambda table: table[:0]),
        ("number", lambda table: table.double()), ("number", lambda table: table.half()),
        ("number", lambda table: table[:, None]), ("number", lambda table: table[:1]),
        ("number", lambda table: table.to(torch.complex64)), ("roots", lambda table: table.int()),
        ("roots", lambda table: table[:0]), ("start", lambda table: table.double()),
    ],
)  # fmt: skip
def test_tables_of_another_shape_or_kind_are_refused(vectors, name, change):
    fitted = make_estimator("gboost", 0.1, balanced=True, seed=0).fit(*vectors)
    state = EstimatorNetwork.of("gboost", fitted, 4).state_dict()
    state[f"scores.{name}"] = change(state[f"scores.{name}"].detach())
    with pytest.raises(
        ValueError, match=r"the table of trees '\w+' must be torch\.\w+ of shape .*, found torch\."
    ):
        build_model(ModelOptions(name="gboost"), 6, 4).load_fitted(state)


def chain(levels):
    """A tree in which each level leads to the two that follow: there are many ways to the last one."""
    nodes = [[0, place + 1, place + 2] for place in range(levels)]
    ends = [[0, place, place] for place in (levels, levels + 1)]
    roots = torch.zeros(1, 2, dtype=torch.int64)
    return Trees(1, torch.tensor(nodes + ends), torch.zeros(levels + 2), roots, torch.zeros(1))


def test_hostile_trees_end_at_once():
    deep = chain(DEEPEST)
    assert deep.depth == DEEPEST
    assert deep(torch.zeros(2, 1)).shape == (2, 1)
    with pytest.raises(ValueError, match="its trees are deeper than 100 levels"):
        chain(60_000)
