"""Tutorial 12, small students: what a BERT knows, in a fifth of its size.

Labels are dear, and so is a large network, each time it is asked. So a teacher
is trained on the few labels that there are, and then tells what it thinks of
texts without labels. A student, a fifth of its size, learns from that.

    python tutorials/12_small_students.py --out out/small_students
    KERAS_BACKEND=jax python tutorials/12_small_students.py --quick

You see

1. a teacher: a BERT of 2 blocks of 128 that reads Python's documentation, and
   then learns from a few labels which part of it a sentence is about;
2. students that learn from those labels alone;
3. students that learn from the teacher: from its answers, as the classes that
   it takes for right (hard pseudo-labels) and as all of its logits (soft
   targets, whose temperature is chosen on documents for validation), into a
   BERT of 1 block of 64 and into a BiLSTM; from its hidden states (patient);
   from its embeddings, attention and hidden states (TinyBERT), with more texts
   in which words were replaced;
4. beside them all, one that counts words.

What is printed comes from documents that were held out as a whole. It works
offline, on any backend, in some minutes on two CPU cores, and leaves in
the folder `--out`:

    small_students.png    how much is told right, by how many parameters
    student.keras         the best of the students, alone
"""

import argparse
import importlib
import pathlib
import sys
import time
from typing import NamedTuple

import bert_baselines as baselines
import bert_pictures as pictures
import keras
import numpy as np
import python_documentation as python

from keras_dl import compression
from keras_dl.applications import BERT, LSTMEncoder, TaskModel
from keras_dl.heads import Classification
from keras_dl.losses import SoftTargets
from keras_dl.text import (
    MaskedLMCandidates,
    VectorCandidates,
    WordReplacement,
)
from keras_dl.training import LogitsDistillation, SupervisedTrainer

pretraining = importlib.import_module("04_pretraining")

LENGTH = 40  # Tokens of a sentence that are read.
BATCH_SIZE, RATE = 32, 3e-3  # Of students.
TEMPERATURES = (1.0, 4.0)


class Sizes(NamedTuple):
    """How much there is of everything.

    Attributes:
        files: Number of files of the standard library to read; `None`: all.
        vocabulary: Number of subwords.
        epochs: How often the teacher reads each row, before there are labels.
        topics: Number of topics to tell.
        labels: Number of labels for each of them.
        unlabelled: Largest number of sentences without, for each.
        test: Largest number of sentences on each topic to examine by.
        copies: Copies of each sentence with words replaced.
        teacher: Number of updates of the teacher, with labels.
        student: Number of updates of each student.
    """

    files: int | None = None
    vocabulary: int = 2000
    epochs: int = 3
    topics: int = 10
    labels: int = 32
    unlabelled: int = 290
    test: int = 60
    copies: int = 1
    teacher: int = 150
    student: int = 500


QUICK = Sizes(16, 500, 1, 2, 2, 4, 4, 1, 2, 2)


# 1. What there is ------------------------------------------------------------


class Texts(NamedTuple):
    """Ids of sentences, and the numbers of their topics where they count.

    Attributes:
        sentences: Strings.
        ids: Array `(sentences, LENGTH)`.
        topics: Array of integers.
    """

    sentences: list
    ids: np.ndarray
    topics: np.ndarray


def texts_of(examples, vocabulary):
    ids = vocabulary.encode_batch(
        examples.sentences, LENGTH, start=True, end=True
    )
    return Texts(examples.sentences, ids, examples.topics)


def draw(parts, topics, vocabulary, sizes, seed):
    """Labelled sentences, all to learn from, and those to examine by."""
    given = python.draw_examples(parts.train, topics, sizes.labels, seed)
    more = python.draw_examples(parts.train, topics, sizes.unlabelled, seed)
    # Drawn in the same order: the labelled ones are among them.
    return [
        texts_of(examples, vocabulary)
        for examples in (
            given,
            more,
            python.draw_examples(parts.validation, topics, sizes.test, 0),
            python.draw_examples(parts.test, topics, sizes.test, 0),
        )
    ]


# 2. The teacher --------------------------------------------------------------


def train_teacher(parts, given, vocabulary, sizes, seed):
    """A BERT that has read the documentation, fine-tuned on the labels.

    Returns:
        The teacher, and the model of masked words that it began with.
    """
    rows = pretraining.pack(parts.train, vocabulary)
    held = pretraining.examination(
        pretraining.pack(parts.validation, vocabulary), vocabulary
    )
    reader, _ = pretraining.pretrain(
        rows, vocabulary, sizes.epochs, held, seed=seed
    )
    encoder = BERT.from_config(reader.encoder.get_config())
    encoder.set_weights(reader.encoder.get_weights())
    teacher = TaskModel(encoder, Classification(int(given.topics.max()) + 1))
    fit(SupervisedTrainer(teacher), given.ids, given.topics, sizes.teacher)
    return teacher, reader


def fit(trainer, x, y, updates, size=pretraining.BATCH_SIZE, rate=1e-3):
    """Trains for about so many updates, at a rate that falls to 0."""
    epochs = max(1, round(updates * size / len(x)))
    trainer.compile(pretraining.adamw(rate, epochs * -(-len(x) // size)))
    trainer.fit(x, y, batch_size=size, epochs=epochs, verbose=0)


# 3. Students -----------------------------------------------------------------


def small_bert(vocabulary, classes):
    """One block of 64; as many heads as the teacher, to compare attention."""
    encoder = BERT(
        len(vocabulary),
        num_layers=1,
        hidden_dim=64,
        num_heads=4,
        intermediate_dim=256,
        max_sequence_length=LENGTH,
        dropout=0.0,
        initializer_range=0.05,
    )
    return TaskModel(encoder, Classification(classes))


def bilstm(vocabulary, classes):
    """Both directions of an LSTM, and the largest of what they say."""
    encoder = LSTMEncoder(
        len(vocabulary), embedding_dim=40, units=48, pooling="max"
    )
    return TaskModel(encoder, Classification(classes))


def start_with_words(student, teacher):
    """Gives a BiLSTM the teacher's embeddings, as far as they go.

    Their 40 main components: the student knows from the start which words are
    alike, as from word vectors.
    """
    table = keras.ops.convert_to_numpy(
        teacher.encoder.token_embedding.embeddings
    )
    u, s, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    size = student.encoder.embedding_dim
    vectors = u[:, :size] * s[:size]
    own = student.encoder.token_embedding.embeddings
    own.assign(0.3 * vectors / vectors.std())


MAKERS = {"BERT 1 x 64": small_bert, "BiLSTM": bilstm}


def response(student, teacher, temperature=4.0):
    """Soft targets, and nothing else."""
    term = LogitsDistillation(SoftTargets(temperature), name="soft_targets")
    return {"terms": [term], "task_weight": 0.0}


def patient(student, teacher):
    """Soft targets, and the first token's hidden states.

    The widths differ, so there is a projection. No labels: alpha = 1.
    """
    return compression.patient(
        student,
        teacher,
        alpha=1.0,
        beta=10.0,
        temperature=4.0,
        layers="uniform",
        projection=True,
    )


def tinybert(stage):
    return lambda student, teacher: compression.tinybert(
        student, teacher, stage
    )


def logits(student, teacher):
    return compression.bilstm(task_weight=0.0)


class Way(NamedTuple):
    """A way to learn.

    Attributes:
        student: Which of `MAKERS`.
        stages: Functions of student and teacher to arguments of the trainer,
            one after the other; none where labels are learnt.
        labels: `"given"`, `"pseudo"`, or none.
        more: Whether texts with words replaced are read, too.
    """

    student: str
    stages: tuple = ()
    labels: str | None = None
    more: bool = False


WAYS = {
    "BERT, labels alone": Way("BERT 1 x 64", labels="given"),
    "BERT, hard pseudo-labels": Way("BERT 1 x 64", labels="pseudo"),
    "BERT, soft targets": Way("BERT 1 x 64", (response,)),
    "BERT, patient": Way("BERT 1 x 64", (patient,)),
    "BERT, as TinyBERT": Way(
        "BERT 1 x 64", (tinybert(1), tinybert(2)), more=True
    ),
    "BiLSTM, labels alone": Way("BiLSTM", labels="given"),
    "BiLSTM, hard pseudo-labels": Way("BiLSTM", labels="pseudo"),
    "BiLSTM, logits": Way("BiLSTM", (logits,)),
}


def learn(way, teacher, vocabulary, data, updates, seed):
    """A student that has learnt in that way.

    Args:
        way: `Way`.
        teacher: The teacher.
        vocabulary: The vocabulary of both.
        data: Labelled texts, all texts, and ids of texts with other words.
        updates: Number of updates, of all stages together.
        seed: Where its first weights come from.
    """
    given, every, more = data
    keras.utils.set_random_seed(seed)
    student = MAKERS[way.student](vocabulary, int(given.topics.max()) + 1)
    options = {"size": BATCH_SIZE, "rate": RATE}
    if way.student == "BiLSTM" and way.labels != "given":
        start_with_words(student, teacher)
    if way.labels == "given":
        # Few texts, that are soon known by heart.
        fit(SupervisedTrainer(student), given.ids, given.topics, updates // 3)
    if way.labels == "pseudo":
        answers = teacher.predict(every.ids, batch_size=128, verbose=0)
        topics = answers.argmax(axis=1)
        fit(SupervisedTrainer(student), every.ids, topics, updates, **options)
    x = np.concatenate([every.ids, more]) if way.more else every.ids
    for stage in way.stages:
        trainer = SupervisedTrainer(
            student, teachers=teacher, **stage(student, teacher)
        )
        fit(trainer, x, None, updates / len(way.stages), **options)
    return student


def choose_temperature(teacher, vocabulary, data, validation, updates, seed):
    """Soft targets at each temperature; the best in the validation."""
    found = {}
    for temperature in TEMPERATURES:

        def at(student, teacher, temperature=temperature):
            return response(student, teacher, temperature)

        way = Way("BERT 1 x 64", (at,))
        student = learn(way, teacher, vocabulary, data, updates, seed)
        share = right(student, validation)
        print(f"    T = {temperature:g}: {share:.1%} of validation")
        found[temperature] = share, student
    return max(found.values(), key=lambda pair: pair[0])[1]


def right(model, texts):
    """The share of the topics that a model tells right."""
    found = model.predict(texts.ids, batch_size=128, verbose=0)
    return float(np.mean(found.argmax(axis=1) == texts.topics))


# 4. More texts ---------------------------------------------------------------


def other_words(given, reader, vocabulary, copies, seed):
    """Texts in which words were replaced, and some of them to look at."""
    words = {
        word.lower()
        for text in given.sentences
        for word in text.split()
        if word.isalpha()
    }
    table = keras.ops.convert_to_numpy(
        reader.encoder.token_embedding.embeddings
    )
    augment = WordReplacement(
        [
            MaskedLMCandidates(reader, vocabulary, 8, LENGTH),
            VectorCandidates.of_vocabulary(sorted(words), vocabulary, table, 8),
        ],
        copies=copies,
        seed=seed,
    )
    new, sources = augment(given.sentences)
    shown = [i for i in range(1, len(new)) if sources[i] == sources[i - 1]][:2]
    for i in shown:
        print(f"    {new[i - 1]}\n    -> {new[i]}")
    return vocabulary.encode_batch(new, LENGTH, start=True, end=True)


# 5. The story ----------------------------------------------------------------


def draw_students(rows, path):
    """A bar for each, by student; its parameters are in the label."""
    figure = pictures.new_figure(8, 5)
    axes = figure.subplots()
    names = list(rows)
    kinds = {"teacher": "C2", "hard": "C1", "count": "0.7", "alone": "0.7"}
    colors = [
        next((c for kind, c in kinds.items() if kind in name), "C0")
        for name in names
    ]
    bars = axes.barh(
        range(len(names)),
        [100 * share for share, _ in rows.values()],
        color=colors,
    )
    axes.bar_label(bars, fmt="%.1f", label_type="center")
    labels = [
        f"{name}\n{size:,} parameters" if size else name
        for name, (_, size) in rows.items()
    ]
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(
        100 * rows["teacher"][0], color="0.5", linewidth=1, linestyle="--"
    )
    axes.set(
        xlabel="topics told right (%)",
        title="What a sentence is about, in documents held out",
    )
    figure.savefig(path)


def print_rows(rows):
    best = rows["teacher"][0]
    print(f"\n    {'told right':<30}{'test':>7}{'of teacher':>12}{'size':>10}")
    for name, (share, size) in rows.items():
        ratio = f"{share / best:.1%}" if best else "-"
        print(f"    {name:<30}{share:7.1%}{ratio:>12}{size or '-':>10}")


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path, default="out/small_students"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else Sizes()
    pretraining.require_packages("matplotlib", "tokenizers")
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    print(f"Small students, on {keras.backend.backend()}.")
    parts = python.read_parts(sizes.files)
    topics = python.choose_topics(parts, sizes.topics, sizes.test // 3)
    parts = python.on_topics(parts, topics)
    vocabulary = pretraining.make_vocabulary(parts.train, sizes.vocabulary)
    given, every, validation, test = draw(
        parts, topics, vocabulary, sizes, options.seed
    )
    print(
        f"{len(given.ids)} sentences with labels and {len(every.ids):,} in "
        f"all, on {topics}; {len(test.ids)} to examine by."
    )
    teacher, reader = train_teacher(
        parts, given, vocabulary, sizes, options.seed
    )
    print(f"The teacher is there after {time.perf_counter() - begin:.0f} s.")

    print("\nOther words:")
    more = other_words(given, reader, vocabulary, sizes.copies, options.seed)
    counting = baselines.WordCounts(given)
    found = np.array([counting(text) for text in test.sentences])
    rows = {
        "teacher": (right(teacher, test), teacher.count_params()),
        "counting words": (float(np.mean(found == test.topics)), None),
    }
    data = given, every, more
    print("\nThe temperature:")
    best = None
    for name, way in WAYS.items():
        arguments = teacher, vocabulary, data
        if name == "BERT, soft targets":
            student = choose_temperature(
                *arguments, validation, sizes.student, options.seed
            )
        else:
            student = learn(way, *arguments, sizes.student, options.seed)
        rows[name] = right(student, test), student.count_params()
        share = right(student, validation)
        if best is None or share > best[0]:
            best = share, name, student
    print_rows(rows)
    best[2].save(options.out / "student.keras")
    print(f"Best in the validation: {best[1]}.")
    draw_students(rows, options.out / "small_students.png")
    print(f"It took {time.perf_counter() - begin:.0f} s. See {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
