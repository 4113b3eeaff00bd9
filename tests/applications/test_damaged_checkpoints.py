"""300 odd and damaged folders: read as transformers reads them, or refused."""

import os
import warnings

import numpy as np
import pytest
import torch
import transformers
from checkpoints import assert_same_outputs, inputs_for
from damaged_checkpoints import generate

from keras_dl.applications import BERT, TaskModel

# Of the 300 folders, those of a usual run; FUZZ=300 reads all of them.
COUNT = int(os.environ.get("FUZZ", "75"))


def read(c):
    """What comes of a folder: a model, or the error."""
    kind = BERT if c.name.endswith("Model") else TaskModel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return kind.from_hugging_face(c.folder, **c.arguments), None
        except ValueError as error:
            return None, str(error)


def oracle(c):
    """What transformers reads, whole."""
    model, info = getattr(transformers, c.name).from_pretrained(
        c.folder, output_loading_info=True, dtype=torch.float32
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return model.eval()


def check(c):
    model, error = read(c)
    if c.place is not None:
        assert error, "damaged, and yet it was read"
    if error:
        assert c.is_either or c.place is not None, error
        # Only an argument is not in a file.
        assert str(c.folder) in error, error
        assert c.is_either or c.place in error, (c.place, error)
        return "refused"
    mask = inputs_for(c.name)[1]["attention_mask"].numpy()

    def call(x):
        has_padding = c.config["pad_token_id"] is not None
        return model(x if has_padding else {**x, "padding_mask": mask})

    with np.errstate(all="ignore"):
        assert_same_outputs(model, oracle(c), call)
    return "read"


@pytest.fixture(scope="module", autouse=True)
def quiet():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.set_verbosity_warning()
    transformers.utils.logging.enable_progress_bar()


def test_each_is_read_as_transformers_does_or_refused(tmp_path):
    counts = {"read": 0, "refused": 0}
    wrong = []
    for seed in range(COUNT):
        c = generate(tmp_path / str(seed), seed)
        try:
            counts[check(c)] += 1
        except Exception as error:
            text = f"{type(error).__name__}: {str(error)[:400]}"
            wrong.append(f"{seed} {c.name} {c.changes}: {text}")
    print(counts)
    assert not wrong, "\n\n".join(wrong)
    assert min(counts.values()) > COUNT / 4, counts
