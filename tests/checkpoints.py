"""Models of transformers, and folders of them as they are published."""

import json

import keras
import numpy as np
import safetensors.numpy
import torch
import transformers
from keras import ops

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}
FAMILIES = {
    "Bert": {},
    "Roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "XLMRoberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "Camembert": {"pad_token_id": 1, "type_vocab_size": 1},
    "Albert": {"embedding_size": 8, "num_hidden_groups": 2},
    "DistilBert": {},
    "Electra": {"embedding_size": 8},
}
TASKS = (
    "Model",
    "ForMaskedLM",
    "ForPreTraining",
    "ForNextSentencePrediction",
    "ForSequenceClassification",
    "ForMultipleChoice",
    "ForTokenClassification",
    "ForQuestionAnswering",
)
NAMES = [
    family + task
    for family in FAMILIES
    for task in TASKS
    if hasattr(transformers, family + task)
]
REAL = np.arange(10) < np.array([[10], [6], [3]])


def family_of(name):
    return next(family for family in FAMILIES if name.startswith(family))


def random_model(name, **changes):
    """A model of transformers with large random weights, for evaluation."""
    family = family_of(name)
    sizes = {**SIZES, **FAMILIES[family], **changes}
    config = getattr(transformers, f"{family}Config")(**sizes)
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def inputs_for(name):
    """The same inputs for us and for transformers."""
    pad = FAMILIES[family_of(name)].get("pad_token_id", 0)
    ids = np.random.RandomState(0).randint(5, 50, size=(3, 10))
    ours = {"token_ids": np.where(REAL, ids, pad).astype("int32")}
    theirs = {"input_ids": ours["token_ids"], "attention_mask": REAL}
    if name.startswith(("Bert", "Albert", "Electra")):
        segments = np.tile(np.arange(10) > 4, (3, 1)).astype("int32")
        ours["segment_ids"] = theirs["token_type_ids"] = segments
    if name.endswith("ForMultipleChoice"):
        ours = {k: np.stack([v, v[::-1]], 1) for k, v in ours.items()}
        theirs = {k: np.stack([v, v[::-1]], 1) for k, v in theirs.items()}
    return ours, {k: torch.tensor(v.astype("int64")) for k, v in theirs.items()}


def numpy(outputs):
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


def assert_equal(ours, theirs, every=False):
    """Equal, of tokens the real ones."""
    theirs = theirs.detach().numpy()
    if theirs.ndim > 1 and theirs.shape[1] == 10 and not every:
        ours, theirs = ours[REAL], theirs[REAL]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def assert_same_outputs(model, theirs, call=None):
    """A model, or an encoder, gives what that of transformers gives."""
    name = type(theirs).__name__
    inputs, their_inputs = inputs_for(name)
    with torch.no_grad():
        found = theirs(**their_inputs)
    ours = numpy((call or model)(inputs))
    if name.endswith("Model"):
        assert_equal(ours["sequence_output"], found.last_hidden_state)
        if "pooled_output" in ours:
            assert_equal(ours["pooled_output"], found.pooler_output)
    elif name == "ElectraForPreTraining":
        assert_equal(ours[..., 1] - ours[..., 0], found.logits)
    elif isinstance(ours, dict):
        assert_equal(ours["masked_tokens"], found.prediction_logits)
        assert_equal(ours["next_sentence"], found[1])
    elif name.endswith("ForQuestionAnswering"):
        assert_equal(ours[:, 0], found.start_logits)
        assert_equal(ours[:, 1], found.end_logits)
    else:
        assert_equal(ours, found.logits)


def change_config(folder, leave_out=(), **changes):
    """Changes `config.json`."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    config = {k: v for k, v in config.items() if k not in leave_out}
    path.write_text(json.dumps(config))


def change_tensors(folder, change):
    """Changes `model.safetensors` by a function of its dict, in place."""
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    changed = change(tensors) or tensors
    safetensors.numpy.save_file(changed, path, {"format": "pt"})


def shard(folder, number=3):
    """Cuts `model.safetensors` into shards with an index."""
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    places = {}
    for i in range(number):
        name = f"model-{i + 1:05d}-of-{number:05d}.safetensors"
        part = dict(list(tensors.items())[i::number])
        safetensors.numpy.save_file(part, folder / name, {"format": "pt"})
        places.update(dict.fromkeys(part, name))
    size = sum(array.nbytes for array in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    name = "model.safetensors.index.json"
    (folder / name).write_text(json.dumps(index, indent=2))
    path.unlink()
