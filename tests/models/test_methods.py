"""The grid: methods down, models across, one tiny cell for each pair.

A method that is new adds one row: a function of a `Subject`, which changes
what it should and leaves alone what it should, for any model; or a reason in
words where a cell cannot make sense. docs/methods.md has the table that comes
of it: `python tests/models/test_methods.py` prints it.
"""

import dataclasses
import pathlib
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import applications, compression, heads
from keras_dl.losses import RelationalLoss
from keras_dl.models import (
    Task,
    WeightMask,
    call_embedded,
    embed,
    features,
    replace_layer,
    sublayer,
    sublayers,
    variables_by_path,
)
from keras_dl.training import (
    FeatureDistance,
    LogitsDistillation,
    SupervisedTrainer,
)

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "methods.md"
RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(3, 20, (4, 6)).astype("int32")
LABELS = np.array([0, 1, 2, 1])
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclasses.dataclass
class Subject:
    """A model of the grid, and what a cell must know of it.

    Attributes:
        make: Function without arguments: a model.
        x, y: A batch.
        feature: Path of a feature.
        dense: Path of a dense layer.
        loss: Loss, of a model that does not say what it trains on.
        is_text: Whether inputs are tokens.
        heads: Path of an attention whose heads can be removed.
        units: Path of a layer whose units can be.
        twins: Paths of two layers that can be one.
    """

    make: callable
    x: object
    y: object
    feature: str
    dense: str
    loss: object = None
    is_text: bool = True
    heads: str | None = None
    units: str | None = None
    twins: tuple | None = None

    def model(self):
        keras.utils.set_random_seed(0)
        model = self.make()
        model(self.x)
        return model

    def trainer(self, model, **arguments):
        trainer = SupervisedTrainer(model, **arguments)
        loss = None if hasattr(model, "default_loss") else self.loss
        trainer.compile(keras.optimizers.SGD(0.1), loss=loss)
        return trainer


def images(size):
    return RANDOM.uniform(size=(4, size, size, 3)).astype("float32")


def cnn():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(4, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def bert(kinds):
    encoder = applications.BERT(20, 1, 8, 2, 16, max_sequence_length=6)
    return applications.TaskModel(encoder, kinds)


def hub():
    hub = pytest.importorskip("keras_hub", reason="keras-nlp is not installed")
    backbone = hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=6,
    )
    return hub.models.BertTextClassifier(backbone, num_classes=3)


def mobile_net():
    return keras.applications.MobileNetV2(
        input_shape=(32, 32, 3),
        weights=None,
        alpha=0.35,
        classes=3,
        classifier_activation=None,
    )


OF_BERT = {
    "heads": "encoder/blocks/0/attention",
    "units": "encoder/blocks/0/widen",
    "twins": (
        "encoder/blocks/0/attention/query_dense",
        "encoder/blocks/0/attention/key_dense",
    ),
}
SUBJECTS = {
    "MLP": Subject(
        lambda: applications.MLP((8,), num_outputs=3),
        RANDOM.normal(size=(4, 5)).astype("float32"),
        LABELS,
        "hidden/0",
        "hidden/0",
        is_text=False,
        units="hidden/0",
    ),
    "VGG16": Subject(
        lambda: applications.VGG16(3, dense_units=(4,), base=1),
        images(32),
        LABELS,
        "block2_conv1",
        "fc1",
        is_text=False,
        units="block5_conv3",
        twins=("block5_conv1", "block5_conv2"),
    ),
    "functional CNN": Subject(
        cnn,
        images(8),
        LABELS,
        "conv",
        "hidden",
        CROSSENTROPY,
        is_text=False,
        units="conv",
    ),
    "LanguageModel": Subject(
        lambda: applications.LanguageModel(20, 8, num_layers=1, tied=False),
        IDS[:, :-1],
        IDS[:, 1:],
        "recurrent/0",
        None,
    ),
    "Seq2Seq": Subject(
        lambda: applications.Seq2Seq(20, units=8),
        (IDS, IDS[:, :-1]),
        IDS[:, 1:],
        "encoder_hidden_states/1",
        "bridge/0",
        twins=("bridge/0", "bridge/1"),
    ),
    "Transformer": Subject(
        lambda: applications.Transformer(
            20, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16
        ),
        (IDS, IDS[:, :-1]),
        IDS[:, 1:],
        "decoder_hidden_states/1",
        "decoder/0/widen",
        heads="decoder/0/memory_attention",
        units="decoder/0/widen",
        twins=("encoder/0/attention", "decoder/0/attention"),
    ),
    "TaskModel, one head": Subject(
        lambda: bert(heads.Classification(3)),
        IDS,
        LABELS,
        "hidden_states/1",
        "encoder/blocks/0/widen",
        **OF_BERT,
    ),
    "TaskModel, two heads": Subject(
        lambda: bert(
            {
                "label": heads.Classification(3),
                "tags": heads.TokenClassification(4),
            }
        ),
        {"token_ids": IDS},
        {"label": LABELS, "tags": IDS % 4},
        "hidden_states/1",
        "encoder/blocks/0/widen",
        **OF_BERT,
    ),
    "keras-hub classifier": Subject(
        hub,
        {
            "token_ids": IDS,
            "segment_ids": IDS * 0,
            "padding_mask": np.ones_like(IDS),
        },
        LABELS,
        "hidden_states/1",
        "logits",
        CROSSENTROPY,
    ),
    "keras.applications": Subject(
        mobile_net,
        images(32),
        LABELS,
        "block_1_project",
        "predictions",
        CROSSENTROPY,
        is_text=False,
        units="expanded_conv_project",
        twins=("block_14_depthwise", "block_15_depthwise"),
    ),
}

# Methods: functions of a subject that check a cell, or say why there is none.


def state(variables):
    return [array(v) for v in variables]


def changed(before, variables):
    return [
        not np.array_equal(old, array(v))
        for old, v in zip(before, variables, strict=True)
    ]


def plain_training(subject):
    """A step changes weights, and the logs are finite."""
    model = subject.model()
    trainer = subject.trainer(model)
    before = state(model.trainable_variables)
    logs = trainer.train_on_batch(subject.x, subject.y, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
    assert any(changed(before, model.trainable_variables))


def feature_reading(subject):
    """A feature, in the same pass as the outputs, which stay what they are."""
    model = subject.model()
    found = features(model, subject.x, [subject.feature, "outputs"])
    assert np.isfinite(array(found[subject.feature])).all()
    for a, b in zip(
        keras.tree.flatten(found["outputs"]),
        keras.tree.flatten(model(subject.x)),
        strict=True,
    ):
        np.testing.assert_array_equal(array(a), array(b))


def task_loss(subject, model):
    """The loss of a model's outputs."""
    trainer = subject.trainer(model)
    y = keras.tree.map_structure(ops.convert_to_tensor, subject.y)
    return lambda outputs: trainer.compute_loss(
        None, Task(model).targets(y), outputs
    )


def input_gradient(subject):
    """How the loss changes with the inputs."""
    if subject.is_text:
        return "inputs are token ids: see the gradient by their vectors"
    model = subject.model()
    loss = task_loss(subject, model)
    slopes = keras_dl.grad(lambda x: loss(model(x)))(subject.x)
    assert slopes.shape == subject.x.shape and np.any(array(slopes))
    return None


def embedding_gradient(subject):
    """How the loss changes with the vectors of tokens."""
    if not subject.is_text:
        return "has no embeddings of tokens: see the gradient by its inputs"
    model = subject.model()
    loss = task_loss(subject, model)
    slopes = keras_dl.grad(
        lambda vectors: loss(call_embedded(model, subject.x, vectors))
    )(embed(model, subject.x))
    assert all(np.any(array(s)) for s in keras.tree.flatten(slopes))
    return None


def teacher_term(subject):
    """A term pulls to a teacher, which stays what it is."""
    teacher, model = subject.model(), subject.model()
    for variable in teacher.trainable_variables:
        variable.assign(1.1 * variable + 0.01)
    trainer = subject.trainer(
        model,
        teachers=teacher,
        terms=FeatureDistance(subject.feature, projection=True, name="far"),
    )
    kept, before = state(teacher.variables), state(model.trainable_variables)
    logs = trainer.train_on_batch(subject.x, subject.y, return_dict=True)
    assert float(logs["far"]) > 0
    assert not any(changed(kept, teacher.variables))
    assert any(changed(before, model.trainable_variables))


def distillation(subject):
    """A student of a teacher's outputs and relations, without any labels."""
    teacher, model = subject.model(), subject.model()
    for variable in teacher.trainable_variables:
        variable.assign(1.1 * variable + 0.01)
    outputs = model(subject.x)
    several = sorted(outputs) if isinstance(outputs, dict) else [None]
    terms = [
        LogitsDistillation(
            student="outputs" if name is None else f"outputs/{name}",
            name=f"soft_{name}",
        )
        for name in several
    ]
    relations = FeatureDistance(
        subject.feature, distance=RelationalLoss("similarity"), name="spkd"
    )
    trainer = subject.trainer(
        model, teachers=teacher, terms=[*terms, relations], task_weight=0.0
    )
    kept, before = state(teacher.variables), state(model.trainable_variables)
    logs = trainer.train_on_batch(subject.x, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
    assert all(float(logs[term.name]) > 0 for term in trainer.terms)
    assert not any(changed(kept, teacher.variables))
    assert any(changed(before, model.trainable_variables))


def weight_mask(subject):
    """Masked weights are 0 after a step, others go on."""
    model = subject.model()
    layer = sublayer(model, subject.dense or subject.feature)
    variables = variables_by_path(model)
    path = next(p for p, v in variables.items() if v is layer.weights[0])
    mask = RANDOM.integers(0, 2, variables[path].shape)
    trainer = subject.trainer(model, readings=[WeightMask({path: mask})])
    trainer.train_on_batch(subject.x, subject.y)
    found = array(variables_by_path(trainer.finish())[path])
    assert not found[mask == 0].any() and found[mask == 1].any()


def replaced_layer(subject):
    """A thinner layer trains in the place of a dense one, and is saved."""
    if subject.dense is None:
        return "has no dense layer: it consists of LSTMs and an embedding"
    model = subject.model()
    old = sublayer(model, subject.dense)
    (size, units), shape = old.kernel.shape, (None,) * subject.is_text
    if subject.dense in ("bridge/0", "logits"):
        shape = ()
    thin = keras.Sequential(
        [
            keras.Input((*shape, size)),
            layers.Dense(2, use_bias=False),
            layers.Dense(units),
        ]
    )
    model = replace_layer(model, subject.dense, thin)
    before = state(thin.weights)
    subject.trainer(model).train_on_batch(subject.x, subject.y)
    assert any(changed(before, thin.weights))
    check_config(subject, model)
    return None


def check_config(subject, model):
    """A model that its config makes computes the same, with its weights."""
    again = type(model).from_config(model.get_config())
    again(subject.x)
    again.set_weights(model.get_weights())
    for a, b in zip(
        keras.tree.flatten(again(subject.x)),
        keras.tree.flatten(model(subject.x)),
        strict=True,
    ):
        np.testing.assert_allclose(array(a), array(b), atol=1e-5)


def check_smaller(subject, make):
    """What is made of a model has fewer numbers, trains, and is saved."""
    model = subject.model()
    before = model.count_params()
    model = make(model)
    assert model.count_params() < before
    old = state(model.trainable_variables)
    subject.trainer(model).train_on_batch(subject.x, subject.y)
    assert any(changed(old, model.trainable_variables))
    check_config(subject, model)


def pruned(subject):
    """Half of the weights are 0, and stay so after a step."""
    model = subject.model()
    reading = compression.MagnitudePruning(0.5)
    trainer = subject.trainer(model, readings=[reading])
    trainer.train_on_batch(subject.x, subject.y)
    trainer.finish()
    for variable in reading.of_variables.values():
        size = int(np.prod(variable.shape))
        assert (array(variable) == 0).sum() >= round(size / 2)


def heads_removed(subject):
    """The smaller attention trains, and is saved."""
    if subject.heads is None:
        return "has no attention of keras_dl.layers"
    gone = {subject.heads: [0]}
    check_smaller(subject, lambda m: compression.remove_heads(m, gone))
    return None


def units_removed(subject):
    """Fewer units, or filters, train, and are saved."""
    if subject.units is None:
        return "has no hidden units that one dense layer or convolution reads"
    gone = {subject.units: [0, 2]}
    check_smaller(subject, lambda m: compression.remove_units(m, gone))
    return None


def factorized(subject):
    """A thin layer in the place of a dense one trains, and is saved."""
    if subject.dense is None:
        return replaced_layer(subject)
    check_smaller(
        subject, lambda m: compression.factorize(m, subject.dense, rank=1)
    )
    return None


def shared(subject):
    """Two layers become one, which trains, and is saved as one."""
    if subject.twins is None:
        return "has no two layers of the same shapes that a config can record"
    check_smaller(subject, lambda m: compression.share(m, [subject.twins]))
    return None


def fake_quantization(subject):
    """Weights end on a grid of 4 bits, and integers compute what it trained."""
    dense = subject.dense is not None
    model = subject.model()
    reading = compression.FakeQuantization(
        4, activations="moving_average" if dense else None, momentum=0.5
    )
    trainer = subject.trainer(model, readings=[reading])
    trainer.train_on_batch(subject.x, subject.y)
    expected = keras.tree.flatten(trainer(subject.x))
    model = trainer.finish()
    for path, variable in reading.of_variables.items():
        # What is read is on the grid: to read it again changes nothing.
        again = array(reading.read(path, ops.convert_to_tensor(variable)))
        np.testing.assert_allclose(array(variable), again, rtol=1e-5)
    if dense:
        found = keras.tree.flatten(reading.convert(model)(subject.x))
        for a, b in zip(map(array, expected), map(array, found), strict=True):
            np.testing.assert_allclose(b, a, atol=1e-4)


def int8(subject):
    """Every layer that Keras can quantize is, and outputs stay near."""
    model = subject.model()
    before = keras.tree.flatten(model(subject.x))
    with warnings.catch_warnings():
        # Keras names the layers that it cannot quantize, and PyTorch warns of
        # how Keras transposes.
        warnings.simplefilter("ignore", UserWarning)
        model.quantize("int8")
        after = keras.tree.flatten(model(subject.x))
    kinds = layers.Dense, layers.EinsumDense, layers.Embedding
    parts = [p for p in sublayers(model).values() if isinstance(p, kinds)]
    assert parts and all(p.quantization_mode == "int8" for p in parts)
    for a, b in zip(map(array, before), map(array, after), strict=True):
        assert np.abs(a - b).max() < 0.05 + 0.1 * np.abs(a).max()


METHODS = {
    "plain training": plain_training,
    "feature reading": feature_reading,
    "gradient by inputs": input_gradient,
    "gradient by embeddings": embedding_gradient,
    "term of a teacher": teacher_term,
    "distillation": distillation,
    "weight mask": weight_mask,
    "replaced layer": replaced_layer,
    "pruned": pruned,
    "heads removed": heads_removed,
    "units removed": units_removed,
    "factorized": factorized,
    "shared": shared,
    "fake quantization": fake_quantization,
    "int8": int8,
}
# Of each method one model is tried on JAX and TensorFlow, too.
COMPILED = (
    "plain training-functional CNN",
    "feature reading-functional CNN",
    "gradient by inputs-functional CNN",
    "gradient by embeddings-TaskModel, one head",
    "term of a teacher-TaskModel, two heads",
    "distillation-Seq2Seq",
    "weight mask-MLP",
    "replaced layer-MLP",
    "units removed-functional CNN",
    "fake quantization-Seq2Seq",
    "int8-MLP",
)


@pytest.mark.compiled(*COMPILED)
@pytest.mark.parametrize(
    ("method", "model"),
    [
        pytest.param(method, model, id=f"{method}-{model}")
        for method in METHODS
        for model in SUBJECTS
    ],
)
def test_cell(method, model):
    reason = METHODS[method](SUBJECTS[model])
    assert reason is None or isinstance(reason, str)


def reason_of(method, subject):
    """Why there is no such cell, without trying it; `None` if there is."""
    if method == "gradient by inputs" and subject.is_text:
        return input_gradient(subject)
    if method == "gradient by embeddings" and not subject.is_text:
        return embedding_gradient(subject)
    needs = {
        "replaced layer": subject.dense,
        "factorized": subject.dense,
        "heads removed": subject.heads,
        "units removed": subject.units,
        "shared": subject.twins,
    }
    if method in needs and needs[method] is None:
        return METHODS[method](subject)
    return None


def table():
    """The grid in Markdown, with a note for each cell that there is not."""
    notes = []

    def cell(method, subject):
        reason = reason_of(method, subject)
        if reason is None:
            return "yes"
        if reason not in notes:
            notes.append(reason)
        return f"({notes.index(reason) + 1})"

    lines = ["| model | " + " | ".join(METHODS) + " |"]
    lines.append("|---" * (len(METHODS) + 1) + "|")
    for name, subject in SUBJECTS.items():
        cells = [cell(method, subject) for method in METHODS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"({i}) {note}." for i, note in enumerate(notes, 1)]
    return "\n".join(lines)


def test_the_guide_has_the_table():
    assert table() in GUIDE.read_text(), (
        "docs/methods.md needs the table that this file prints"
    )


if __name__ == "__main__":
    print(table())
