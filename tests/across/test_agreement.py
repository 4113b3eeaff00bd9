"""Every public component, on all backends side by side: the table `of_*.py`.

Outputs, gradients and a training step of each case, in one process for each
backend, are compared with PyTorch's, which other tests compare with oracles.
"""

import of_compression
import of_generation
import of_layers
import of_methods
import of_models
import of_parts
import of_trainers
import pytest
from cases import TABLE

import keras_dl
from keras_dl import (
    applications,
    compression,
    heads,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    training,
)
from keras_dl.testing import compare_many
from keras_dl.testing.report import Row

FILES = (
    of_layers,
    of_parts,
    of_models,
    of_methods,
    of_compression,
    of_trainers,
    of_generation,
)
ROUNDING = 2e-7
ROOMS = (
    applications,
    compression,
    heads,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    training,
)
# What needs no case, and why.
WITHOUT = {
    losses.Penalty: "what penalties have in common",
    losses.AdversarialLoss: "what adversarial losses have in common",
    losses.adversarial: "looks a loss up by its name",
    heads.Head: "what heads have in common",
    heads.EntityAlignment: "MaskedLM with other targets",
    compression.KnowledgeSelection: "NumPy: sets the weights of terms",
    compression.SizeReport: "what a report holds",
    compression.Ticket: "NumPy: assigned to variables, read by WeightMask",
    compression.bilstm: "plain Python: makes terms",
    compression.compress: "plain Python: calls functions",
    compression.distilbert: "plain Python: makes terms",
    compression.draw_sizes: "a picture",
    compression.find_ticket: "gives NumPy: compiled in test_tickets.py",
    compression.flops: "plain Python: reads shapes",
    compression.layer_map: "plain Python",
    compression.patient: "plain Python: makes terms",
    compression.size_report: "plain Python: counts and measures",
    compression.size_table: "a text",
    compression.student_from_layers: "makes a BERT, and copies weights",
    compression.tinybert: "plain Python: makes terms",
    training.Gate: "what gates have in common",
    training.PerturbedTask: "holds what perturbations are given",
    training.SupervisedBatch: "holds what terms are given",
    compression.break_even_rank: "plain Python",
    compression.head_importance: "gives NumPy: compiled in test_importance.py",
    compression.layer_importance: "gives NumPy: the mean of features' cosines",
    compression.lowest: "plain Python",
    compression.QuantizationReport: "NumPy: what a report says",
    compression.calibrate: "gives NumPy: the ranges of static_quantization",
    compression.quantization_report: "NumPy: compares two models",
    compression.rank_for_energy: "NumPy",
    compression.sparsity: "counts zeros",
    compression.unit_importance: "gives NumPy: as head_importance",
    models.ConfiguredModel: "what models have in common",
    models.Encoder: "what encoders have in common",
    models.TargetKind: "plain Python: what models say of targets",
    models.Task: "plain Python: what trainers ask models for",
    models.check_classes: "NumPy: looks at arrays",
    models.check_finite: "NumPy: looks at arrays",
    models.check_ids: "NumPy: looks at arrays",
    models.feature_paths: "plain Python: names of features",
    models.sublayer: "plain Python: finds a layer",
    models.sublayers: "plain Python: finds layers",
    models.variables_by_path: "plain Python: finds variables",
    metrics.BLEU: "counts with sacrebleu, outside of any backend",
    metrics.tag_chunks: "plain Python",
    metrics.squad_normalize: "plain Python",
    metrics.squad_scores: "plain Python",
    metrics.sliced_wasserstein: "NumPy",
    metrics.sliced_wasserstein_pyramid: "NumPy",
}


@pytest.fixture(scope="session")
def reports(request):
    """By name, the reports of the cases that are to be tested."""
    rows = [getattr(item, "callspec", None) for item in request.session.items]
    entries = [
        row.params["entry"] for row in rows if row and "entry" in row.params
    ]
    cases = [entry.make for entry in entries]
    found = compare_many(cases, ("torch", "jax", "tensorflow"))
    return {e.name: report for e, report in zip(entries, found, strict=True)}


def differs(row, tolerance):
    """What is 0 but for rounding has no digits to agree in."""
    return row.worst > tolerance and row.worst * (row.size or 1.0) > ROUNDING


@pytest.mark.parametrize(
    ("size", "difference", "wrong"),
    [
        (1.0, 1e-6, False),
        (1.0, 1e-4, True),
        (1e-9, 1.0, False),
        (1e-3, 1.0, True),
        (0.0, 1e-8, False),
        (0.0, 1e-3, True),
        (0.0, float("inf"), True),
    ],
)
def test_what_differs(size, difference, wrong):
    row = Row("output", (), size, {"jax": 0.0, "tensorflow": difference})
    assert differs(row, 2e-5) == wrong


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
def test_backends_agree(entry, reports):
    report = reports[entry.name]
    assert report.backends == ("jax", "tensorflow")
    rows = [row for row in report.rows if entry.only in row.name]
    assert rows, "nothing is compared"
    wrong = [
        (row.name, row.worst) for row in rows if differs(row, entry.tolerance)
    ]
    assert not wrong, f"{wrong}\n{report}"


def test_every_component_has_a_case():
    covered = {symbol for entry in TABLE for symbol in entry.symbols}
    public = {getattr(r, name) for r in ROOMS for name in r.__all__}
    public |= {getattr(keras_dl, name) for name in keras_dl.__all__}
    public = {x for x in public if callable(x)}
    missing = public - covered - set(WITHOUT)
    assert not missing, f"write cases in of_*.py: {missing}"
    assert not covered & set(WITHOUT)
    assert set(WITHOUT) <= public


def test_names_are_distinct():
    names = [entry.name for entry in TABLE]
    assert len(set(names)) == len(names)
