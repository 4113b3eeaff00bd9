"""Generates from each model, from weights that all backends share."""

import json
import sys

from models import END, KINDS, made

from keras_dl import generate
from keras_dl.generation import BeamSearch, Greedy, Sampling

PROMPTS = [[4, 5, 6, 7], [9, 4], [8]]
SEARCHES = (Greedy(), BeamSearch(3, 0.6), Sampling(0.9, 5, 0.95, seed=2))


def main():
    sys.stdout.write(
        "\n"
        + json.dumps(
            {
                f"{kind}, {type(search).__name__}": generate(
                    made(kind), PROMPTS, 8, search, end_id=END
                )
                for kind in KINDS
                for search in SEARCHES
            }
        )
    )


if __name__ == "__main__":
    main()
