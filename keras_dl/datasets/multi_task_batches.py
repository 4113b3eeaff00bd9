"""Batches of several tasks, in random order, for one model."""

import keras
import numpy as np

from keras_dl.checks import check_seed


class MultiTaskBatches(keras.utils.PyDataset):
    """The batches of several tasks, one task a batch, shuffled together.

    For `keras_dl.applications.TaskModel` with a dict of heads. In an epoch
    each batch of each task comes once, in an order that depends on
    `(seed, epoch)` alone; so a task with twice the data is met twice as often.

    Each item is `(x, y, weights)`, `y` and `weights` dicts by task: of the
    task at hand the targets, and ones (or the weights that came with the
    batch); of all others zeros. A loss that is 0 where weights are, as those
    of all heads are, then teaches one task a step.

    Args:
        tasks: Dict of batches by the names of the tasks: `Batches`, or any
            `keras.utils.PyDataset` whose items are `(x, y)` or
            `(x, y, weights)`. Inputs must have the same names in all.
        seed: Integer from 0 to 2**32 - 1: where the orders come from.

    Attributes:
        epoch: Number of the order that is read now; it may be set.

    Raises:
        ValueError: If there is no task, or inputs have different names.

    Example:

    >>> ids = np.ones((8, 5), "int32")
    >>> topics = keras_dl.datasets.Batches(ids, np.arange(8) % 4, 4)
    >>> pairs = keras_dl.datasets.Batches(ids, np.linspace(0, 1, 8), 4)
    >>> data = MultiTaskBatches({"topic": topics, "similar": pairs})
    >>> encoder = keras_dl.applications.BERT(10, 1, 16, 2, 32)
    >>> heads = {
    ...     "topic": keras_dl.heads.Classification(4),
    ...     "similar": keras_dl.heads.Regression(),
    ... }
    >>> model = keras_dl.applications.TaskModel(encoder, heads)
    >>> model.compile("adam")
    >>> history = model.fit(data, shuffle=False, verbose=0)

    Reference:
        Liu et al., "Multi-task deep neural networks for natural language
        understanding", 2019.
    """

    def __init__(self, tasks, seed=0):
        super().__init__()
        if not isinstance(tasks, dict) or not tasks:
            raise ValueError(
                "`tasks` must be a dict of batches by the names of their "
                f"tasks. Received: tasks={tasks!r}."
            )
        self.tasks = dict(tasks)
        self.seed = check_seed(seed)
        self._targets = {name: b[0][1] for name, b in self.tasks.items()}
        _check_same_inputs({name: b[0][0] for name, b in self.tasks.items()})
        self._pairs = [
            (name, i) for name, b in self.tasks.items() for i in range(len(b))
        ]
        self.epoch = 0

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = epoch
        generator = np.random.RandomState([self.seed, epoch])
        self._order = generator.permutation(len(self._pairs))

    def __len__(self):
        return len(self._pairs)

    def __getitem__(self, index):
        """The batch at position `index` of this epoch."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"`index` must be from 0 to {len(self) - 1}. "
                f"Received: index={index}."
            )
        task, place = self._pairs[self._order[index]]
        x, y, *weights = self.tasks[task][place]
        y, rows = np.asarray(y), len(y)
        targets, all_weights = {}, {}
        for name, example in self._targets.items():
            example = np.asarray(example)
            targets[name] = np.zeros((rows, *example.shape[1:]), example.dtype)
            all_weights[name] = np.zeros(rows, "float32")
        targets[task] = y
        all_weights[task] = weights[0] if weights else np.ones(rows, "float32")
        return x, targets, all_weights

    def on_epoch_end(self):
        """Goes on to the order of the next epoch, in each task too."""
        for batches in self.tasks.values():
            batches.on_epoch_end()
        self.epoch += 1


def _check_same_inputs(inputs):
    names = {
        task: sorted(x) if isinstance(x, dict) else None
        for task, x in inputs.items()
    }
    if any(found != next(iter(names.values())) for found in names.values()):
        raise ValueError(
            "`tasks` must all have inputs of the same names. Received: "
            f"{names}."
        )
