"""Prepares a few tiny datasets on disk, as TensorFlow Datasets does it.

A script of its own, run as `python tiny_builders.py FOLDER`: classes that are
defined here are registered by name in this process, and in no other, so that
the tests find the datasets on disk alone.
"""

import pathlib
import sys

import numpy as np
import tensorflow_datasets as tfds

from keras_dl import datasets

IMAGES = {"train": 20, "test": 6}


class _Tiny(tfds.core.GeneratorBasedBuilder):
    """A builder whose examples are made on the spot."""

    VERSION = tfds.core.Version("1.0.0")
    SIZES = {"train": 10}
    SUPERVISED = None

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.features()),
            supervised_keys=self.SUPERVISED,
        )

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(split, size)
            for split, size in self.SIZES.items()
        }

    def _generate_examples(self, split, size):
        for number in range(size):
            yield number, self.example(split, number)


class TinyImages(_Tiny):
    """Labelled images, with a split for testing and none for validation."""

    SIZES = IMAGES
    SUPERVISED = ("image", "label")

    def features(self):
        return {
            "image": tfds.features.Image(shape=(4, 4, 1)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
        }

    def example(self, split, number):
        value = number + (100 if split == "test" else 0)
        image = np.full((4, 4, 1), value, "uint8")
        return {"image": image, "label": number % 2}


class TinyPrices(_Tiny):
    """Vectors and a price: a regression."""

    SUPERVISED = ("room", "price")

    def features(self):
        return {
            "room": tfds.features.Tensor(shape=(2,), dtype=np.float64),
            "price": np.float32,
        }

    def example(self, split, number):
        return {"room": [number, 2.0 * number], "price": 10.0 * number}


class TinyReviews(_Tiny):
    """Nothing supervised: a text and a nested dict."""

    SIZES = {"train": 10, "unlabelled": 3}

    def features(self):
        return {
            "text": tfds.features.Text(),
            "by": {"age": np.int64},
        }

    def example(self, split, number):
        return {"text": f"ä{number}", "by": {"age": number}}


class TinyRagged(TinyImages):
    """Images of different sizes."""

    def features(self):
        return {
            "image": tfds.features.Image(shape=(None, 4, 1)),
            "label": tfds.features.ClassLabel(num_classes=3),
        }

    def example(self, split, number):
        image = np.zeros((2 + number % 2, 4, 1), "uint8")
        return {"image": image, "label": number % 3}


class TinyTestOnly(TinyPrices):
    """No split to train on."""

    SIZES = {"test": 4}


def main(folder):
    for builder in (TinyPrices, TinyReviews, TinyRagged, TinyTestOnly):
        _prepare(builder, folder, "array_record")
    _prepare(TinyImages, folder / "tfrecord", "tfrecord")
    # This one by way of `load`: the data is made, not fetched.
    datasets.load("tiny_images:1.0.0", data_dir=folder, download=True)
    _prepare(TinyImages, folder / "array_record", "array_record")


def _prepare(builder, folder, file_format):
    builder(data_dir=folder, file_format=file_format).download_and_prepare()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
