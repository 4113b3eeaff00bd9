"""Has TensorFlow Datasets read published files, with its own builders.

A script of its own, run as `python prepare_tfds.py FILES FOLDER`: what would be
downloaded is taken from FILES, where `published.write` wrote it.
"""

import pathlib
import sys
from unittest import mock

import tensorflow_datasets as tfds
from etils import epath
from published import FOLDERS


def main(files, folder):
    for task, inside in FOLDERS.items():
        if task == "swag":
            continue

        def fetch(manager, what, inside=files / inside):
            if isinstance(what, dict):
                return {k: fetch(manager, one) for k, one in what.items()}
            name = what.rpartition("/")[-1]
            if "mrpc_dev_ids" in name:
                name = "dev_ids.tsv"
            found = inside / name
            if not found.exists():  # An archive: GLUE's have a folder inside.
                found = inside if "conll" in name else inside.parent
            return epath.Path(found)

        manager = tfds.download.DownloadManager
        with (
            mock.patch.object(manager, "download", fetch),
            mock.patch.object(manager, "download_and_extract", fetch),
        ):
            builder = tfds.builder(
                task, data_dir=folder, file_format="array_record"
            )
            type(builder).url_infos = {}
            builder.download_and_prepare()


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
