"""Tasks by name: data, head and metrics to fine-tune an encoder with."""

from keras_dl.tasks.catalog import names
from keras_dl.tasks.loading import TaskData, load
from keras_dl.tasks.splits import TaskSplit
from keras_dl.tasks.task import Task

__all__ = ["Task", "TaskData", "TaskSplit", "load", "names"]
