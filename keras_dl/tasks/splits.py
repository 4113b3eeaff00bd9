"""Splits of tasks: what models read, and what their outputs mean."""

import keras

from keras_dl.datasets import Batches
from keras_dl.tasks.labels import check_order


class TaskSplit:
    """The examples of one split, for `fit`, and what logits say of them.

    `keras_dl.tasks.load` makes them. For a model of your own, with several
    heads for example, `inputs` and `targets` are what its batches need.

    Attributes:
        inputs: Dict of inputs of a `keras_dl.applications.TaskModel`, by
            example.
        targets: Targets by example, or `None` where labels are hidden.
        left_out: Tuple of what `damaged="leave_out"` left out: places of
            lines, or ids of questions.

    Example:

    >>> with open("dev.jsonl", "w") as file:
    ...     print('{"sentence1": "a", "sentence2": "b", "label": 1}', file=file)
    >>> words = keras_dl.text.WordVocabulary(["a", "b"])
    >>> splits = keras_dl.tasks.load(
    ...     "glue/mrpc", words, files=".", splits=["validation"]
    ... )
    >>> split = splits["validation"]
    >>> encoder = keras_dl.applications.BERT(words.size, 1, 16, 2, 32)
    >>> model = keras_dl.applications.TaskModel(encoder, splits.head())
    >>> split.logits(model).shape
    (1, 2)
    >>> split.scores([[0.1, 0.9]]), split.predictions([[0.1, 0.9]])
    ({'accuracy': 1.0, 'f1': 1.0}, ['equivalent'])
    """

    options = ()  # Names of further arguments that `load` takes for the kind.

    def __init__(self, task, inputs, targets, left_out=()):
        self.task = task
        self.inputs = inputs
        self.targets = targets
        self.left_out = tuple(left_out)

    @staticmethod
    def relabel(records, old, new):
        """What was read, with labels in the order of another task."""
        return records

    def __len__(self):
        return len(next(iter(self.inputs.values())))

    def batches(self, batch_size=32, **options):
        """Batches for `fit`, `evaluate` and `predict`.

        Args:
            batch_size: Integer of at least 1.
            **options: `shuffle`, `seed`, `drop_remainder`: see
                `keras_dl.datasets.Batches`. Of texts all arguments of
                `keras_dl.datasets.BucketedBatches`, such as `num_buckets`.

        Returns:
            `Batches`; of texts `BucketedBatches`, whose rows are filled up to
            similar lengths, and come from short to long.
        """
        return Batches(self.inputs, self.targets, batch_size, **options)

    def logits(self, model, batch_size=32):
        """What a model with one head returns, in the order of the examples.

        Args:
            model: A `keras_dl.applications.TaskModel`, or what reads the same.
                A model without `predict_logits` gives them by `predict`.
            batch_size: Integer of at least 1.

        Returns:
            An array with the outputs for each example: logits.

        Raises:
            ValueError: If the model names the task's labels in another order.
        """
        check_order(self.task, model)
        batches = self.batches(batch_size)
        predict = getattr(model, "predict_logits", model.predict)
        found = predict(batches, verbose=0)
        return self._in_order(keras.ops.convert_to_numpy(found), batches)

    def predictions(self, logits):
        """What logits mean.

        | kind             | predictions                                      |
        |------------------|--------------------------------------------------|
        | `classification` | list of labels                                   |
        | `regression`     | list of numbers                                  |
        | `choice`         | list of labels                                   |
        | `spans`          | dict of answers by the ids of the questions      |
        | `tags`           | list of lists with a tag for each word           |

        Args:
            logits: Outputs of a model for all examples, in their order.

        Returns:
            See above.
        """
        raise NotImplementedError

    def scores(self, logits):
        """The metrics of the task.

        Those of classes and numbers are the task's `metrics`; of spans, those
        of the scripts of SQuAD (see `keras_dl.metrics.squad_scores`), with the
        threshold for "no answer"; of tags, F1 of entities, where words that
        did not fit in count as "O".

        Args:
            logits: Outputs of a model for all examples, in their order.

        Returns:
            A dict of numbers by name.

        Raises:
            ValueError: If labels are hidden, or `logits` have another shape.
        """
        raise NotImplementedError

    def _in_order(self, found, batches):
        return found
