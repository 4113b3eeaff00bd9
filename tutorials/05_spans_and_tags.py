"""Tutorial 5, spans and tags: what is asked for, and what is what.

The encoder of tutorial 4 has read Python's documentation. Here it learns two
things that are about tokens, not about whole texts, from labels that the
documentation has brought along:

1. **Spans.** In a text such as `help()` prints, it finds the answer to a
   question: what a function takes, what it does, or which one returns
   something. The labels come from the definitions in the source.
2. **Tags.** In a sentence of the reference it finds functions, names, keywords,
   values, expressions and terms. The labels come from the marks that the text
   had; they are taken away before the network reads it.

    python tutorials/05_spans_and_tags.py --out out/spans_and_tags
    KERAS_BACKEND=jax python tutorials/05_spans_and_tags.py --quick

It takes the encoder from the folder `--encoder`, where tutorial 4 left it; if
it is not there, one is pre-trained first, more briefly. Everything is examined
on documents that neither tutorial has learnt from, beside the simplest that
one could do instead. It works offline, on any backend, in some minutes on two
CPU cores, and leaves in the folder `--out`:

    answers.png    where the network sees answers begin and end
    tags.png       sentences with their tags, right ones and wrong ones
"""

import argparse
import importlib
import keyword
import pathlib
import re
import sys
import time
from typing import NamedTuple

import bert_baselines as baselines
import bert_pictures as pictures
import keras
import numpy as np
import python_documentation as python

from keras_dl.applications import TaskModel
from keras_dl.datasets import Batches
from keras_dl.heads import ExtractiveQA, TokenClassification
from keras_dl.metrics import EntityF1, squad_scores, tag_chunks
from keras_dl.text import SpanWindows, SubwordVocabulary, TaggedWords

pretraining = importlib.import_module("04_pretraining")

LENGTH = pretraining.LENGTH


class Sizes(NamedTuple):
    """How much there is of everything.

    Attributes:
        files: Number of files of the standard library to read; `None`: all.
        reading: Sizes of pre-training, if there is no encoder.
        questions: Number of questions to learn from.
        test: Number of questions to examine by.
        span_updates: Number of updates for spans.
        tagged: Largest number of tagged sentences, in each part.
        tag_updates: Number of updates for tags.
    """

    files: int | None = None
    reading: NamedTuple = pretraining.Sizes(epochs=4)
    questions: int = 6000
    test: int = 600
    span_updates: int = 1200
    tagged: int = 4000
    tag_updates: int = 600


QUICK = Sizes(16, pretraining.QUICK, 32, 16, 2, 32, 2)


# 1. Questions ----------------------------------------------------------------
#
# Functions that are documented together make a passage; and because we know
# from where in the source each part of it came, we know the answers.


class Question(NamedTuple):
    """A question, and where in a passage its answer stands.

    Attributes:
        kind: `"takes"`, `"does"` or `"returns"`.
        text: The question.
        passage: Heads and summaries of functions.
        lines: The same, one by one.
        answer: A part of the passage.
        begin: The character of the passage that it begins with.
    """

    kind: str
    text: str
    passage: str
    lines: tuple
    answer: str
    begin: int


def summary(entry):
    """The first sentence of what is said of a function."""
    return python.cut(entry.paragraphs[0])[0]


def make_questions(documents, most=4):
    """All questions about passages of up to `most` functions."""
    questions = []
    for document in documents:
        fit = {e.name: e for e in document.entries if is_short(e)}
        functions = list(fit.values())
        for at in range(0, len(functions), most):
            if len(functions[at : at + most]) > 1:
                questions += ask(functions[at : at + most])
    return questions


def is_short(entry):
    """Whether this is a function, with a head and a summary of a few words."""
    return (
        entry.arguments is not None
        and len(entry.arguments) <= 60
        and len(summary(entry).split()) <= 16
    )


def ask(functions):
    """The questions about one passage."""
    lines = [line for f in functions for line in (f.head, summary(f))]
    passage, found, at = " ".join(lines), [], 0
    for function in functions:
        head, says = function.head, summary(function)
        text = at + len(head) + 1
        returned = re.fullmatch(r"Returns? (.*?)\.?", says)
        found.append(("does", f"What does {function.name} do?", says, text))
        if function.arguments:
            begin = at + len(function.name) + 1
            question = f"What does {function.name} take?"
            found.append(("takes", question, function.arguments, begin))
        if returned:
            question = f"What returns {returned[1]}?"
            found.append(("returns", question, function.name, at))
        at = text + len(says) + 1
    return [
        Question(kind, question, passage, tuple(lines), answer, begin)
        for kind, question, answer, begin in found
    ]


def windows_of(questions, vocabulary):
    """Rows with a question and a part of its passage, and their targets."""
    return SpanWindows(
        [q.text for q in questions],
        [q.passage for q in questions],
        vocabulary,
        [[(q.answer, q.begin)] for q in questions],
        length=LENGTH,
        stride=24,
        max_question=24,
    )


# 2. Answers ------------------------------------------------------------------
#
# The network says of each token of a row how well an answer would begin there,
# and how well it would end. A row without the answer points to its first token.


def learn_spans(encoder, windows, updates, seed):
    """The encoder with a head for answers, trained on all windows."""
    model = TaskModel(encoder, ExtractiveQA())
    return fit(model, windows.inputs, windows.spans, updates, seed)


def fit(model, x, y, updates, seed, **kwargs):
    """Trains for about this many updates, by AdamW, with a rising rate."""
    batches = Batches(x, y, 16, shuffle=True, seed=seed, drop_remainder=True)
    epochs = max(1, round(updates / len(batches)))
    model.compile(pretraining.adamw(1e-3, epochs * len(batches)), **kwargs)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model


def answer(model, windows):
    """The best answer to each question, and the logits they come from."""
    logits = model.predict(windows.inputs, 128, verbose=0)
    return windows.best(logits[:, 0], logits[:, 1]), logits


def first_line(question):
    return question.lines[0]


def most_alike(question):
    """The line that has most words of the question, and in it the fewest."""
    asked = set(re.findall(r"\w+", question.text))
    words = [set(re.findall(r"\w+", line)) for line in question.lines]
    shares = [len(asked & w) / (1 + len(w)) for w in words]
    return question.lines[int(np.argmax(shares))]


def scores_of(questions, answers):
    """Exact match and F1, in percent, for each kind of question and all."""
    scores = {}
    for kind in ("takes", "does", "returns", "all"):
        chosen = {
            str(i): (answer, [q.answer])
            for i, (q, answer) in enumerate(
                zip(questions, answers, strict=True)
            )
            if kind in (q.kind, "all")
        }
        if chosen:
            found = squad_scores(
                {i: answer for i, (answer, _) in chosen.items()},
                {i: golds for i, (_, golds) in chosen.items()},
            )
            scores[kind] = found["exact"], found["f1"]
    return scores


# 3. Tagged sentences ---------------------------------------------------------
#
# The reference writes "code" in quotes and *terms* between stars. That says
# which words are what; then the marks go, as do the brackets of a call.

MARKED = re.compile(
    r"""(?<![\w"'])"(?P<code>[^"\s](?:[^"]*[^"\s])?)"(?![\w"'])"""
    r"|(?<![\w*])\*\*?(?P<term>\w(?:[^*]*\w)?)\*\*?(?![\w*])"
)
WORD = re.compile(r"\w+(?:\.\w+)*|[^\w\s]")
KINDS = ("function", "name", "keyword", "value", "expression", "term")
TAGS = ("O", *(f"{letter}-{kind}" for kind in KINDS for letter in "BI"))


def tag(sentence):
    """The words of a marked sentence, without the marks, and their tags."""
    words, tags, at = [], [], 0
    for match in MARKED.finditer(sentence):
        plain = WORD.findall(sentence[at : match.start()])
        found, kind = inside(match)
        words += [*plain, *found]
        tags += ["O"] * len(plain)
        tags += [f"{'I' if i else 'B'}-{kind}" for i in range(len(found))]
        at = match.end()
    plain = WORD.findall(sentence[at:])
    return words + plain, tags + ["O"] * len(plain)


def inside(match):
    """The words between marks, and what they are."""
    code = match["code"]
    if code is None:
        return WORD.findall(match["term"]), "term"
    if re.fullmatch(r"[\w.]+\(\)", code):
        return WORD.findall(code[:-2]), "function"
    words = WORD.findall(code)
    if code in ("None", "True", "False") or re.match(r"[\d'\[({-]", code):
        return words, "value"
    if keyword.iskeyword(code):
        return words, "keyword"
    return words, "name" if len(words) == 1 else "expression"


def tag_documents(documents):
    """Sentences of the reference as lists of words, and lists of their tags."""
    pairs = [
        tag(sentence)
        for document in documents
        if document.topic == python.REFERENCE
        for sentence in document.sentences
    ]
    pairs = [(words, tags) for words, tags in pairs if len(words) >= 4]
    return [list(part) for part in zip(*pairs, strict=True)]


def entity_f1(gold, predicted, kind=None):
    """F1 of the entities in lists of tags, in percent."""
    sets = [
        {
            (row, *entity)
            for row, names in enumerate(tags)
            for entity in tag_chunks(names)
            if kind in (None, entity[0])
        }
        for tags in (gold, predicted)
    ]
    return 200 * len(sets[0] & sets[1]) / max(1, sum(map(len, sets)))


# 4. Pictures and tables ------------------------------------------------------


def print_scores(questions, found):
    """Exact match and F1 of each way to answer, by kind of question."""
    table = {name: scores_of(questions, a) for name, a in found.items()}
    kinds = list(next(iter(table.values())))
    print(
        f"\n    {'exact match / F1':<22}" + "".join(f"{k:>15}" for k in kinds)
    )
    for name, scores in table.items():
        cells = (f"{e:.1f} / {f:.1f}" for e, f in scores.values())
        print(f"    {name:<22}" + "".join(f"{cell:>15}" for cell in cells))


def print_tags(gold, found):
    """F1 of the entities of each way to tag, by kind of entity."""
    kinds = [*KINDS, None]
    heads = "".join(f"{kind or 'all':>12}" for kind in kinds)
    print(f"\n    {'F1 of entities':<22}{heads}")
    for name, tags in found.items():
        cells = (entity_f1(gold, tags, kind) for kind in kinds)
        print(f"    {name:<22}" + "".join(f"{cell:12.1f}" for cell in cells))


def shown_answers(questions, windows, logits, vocabulary):
    """The first row of each kind of question that holds its whole answer."""
    shown = {}
    for row, number in enumerate(windows.question_numbers.tolist()):
        question = questions[number]
        if question.kind not in shown and windows.spans[row].any():
            ids = [int(id) for id in windows.token_ids[row] if id]
            tokens = [vocabulary.id_to_token(id) for id in ids]
            span = windows.spans[row]
            shown[question.kind] = question.text, tokens, logits[row], span
    return list(shown.values())


# 5. The whole way ------------------------------------------------------------


def load_encoder(folder, parts, sizes, seed):
    """The encoder and the vocabulary of tutorial 4, or new ones like them."""
    files = folder / "encoder.keras", folder / "vocabulary.json"
    if all(file.exists() for file in files):
        print(f"The encoder is that of tutorial 4, in {folder}.")
        vocabulary = SubwordVocabulary.load(files[1])
        return keras.saving.load_model(files[0]), vocabulary
    print(f"There is no encoder in {folder}: a shorter pre-training.")
    sizes = sizes.reading
    _, parts = pretraining.choose_documents(parts, sizes)
    vocabulary = pretraining.make_vocabulary(parts.train, sizes.vocabulary)
    rows, held_rows = (
        pretraining.pack(part, vocabulary)
        for part in (parts.train, parts.validation)
    )
    model, _ = pretraining.pretrain(
        rows,
        vocabulary,
        sizes.epochs,
        pretraining.examination(held_rows, vocabulary),
        seed=seed,
    )
    return model.encoder, vocabulary


def copy_of(encoder, read):
    """An encoder like it, with its weights or, if it has not read, new ones."""
    copy = type(encoder).from_config(encoder.get_config())
    if read:
        copy.set_weights(encoder.get_weights())
    return copy


def tell_spans(encoder, vocabulary, parts, sizes, options):
    """Section 1 and 2: questions, answers, table and picture."""
    random = np.random.RandomState(options.seed)
    learn, test = make_questions(parts.train), make_questions(parts.test)
    chosen = random.permutation(len(learn))[: sizes.questions]
    learn = [learn[i] for i in chosen]
    test = [test[i] for i in random.permutation(len(test))[: sizes.test]]
    windows, asked = (windows_of(part, vocabulary) for part in (learn, test))
    print(
        f"\nSpans: {len(learn):,} questions to learn from, in {len(windows):,} "
        f"rows, {len(test):,} held out. For example:"
    )
    print(f"    {test[0].passage}")
    for kind in ("takes", "does", "returns"):
        for question in [q for q in test if q.kind == kind][:1]:
            print(f"    {question.text} -> {question.answer}")
    found = {
        "the first line": [first_line(q) for q in test],
        "the line most alike": [most_alike(q) for q in test],
    }
    for name, read in (
        ("BERT from scratch", False),
        ("BERT pre-trained", True),
    ):
        keras.utils.set_random_seed(options.seed)
        start = copy_of(encoder, read)
        model = learn_spans(start, windows, sizes.span_updates, options.seed)
        found[name], logits = answer(model, asked)
    print_scores(test, found)
    shown = shown_answers(test, asked, logits, vocabulary)
    pictures.draw_answers(shown, options.out / "answers.png")


def tell_tags(encoder, vocabulary, parts, sizes, options):
    """Section 3: tagged sentences, table and picture."""
    learn, test = tag_documents(parts.train), tag_documents(parts.test)
    learn, test = ([part[: sizes.tagged] for part in p] for p in (learn, test))
    rows, asked = (
        TaggedWords(*part, vocabulary, LENGTH, tag_names=TAGS, truncate="end")
        for part in (learn, test)
    )
    sentences, gold = test
    print(
        f"\nTags: {len(rows):,} sentences to learn from, {len(asked):,} held "
        "out. For example:"
    )
    for word, name in list(zip(sentences[0], gold[0], strict=True))[:12]:
        print(f"    {word:<16}{name}")
    guess = baselines.CommonTags(*learn)
    found = {"most common tag": [guess(words) for words in sentences]}
    for name, read in (
        ("BERT from scratch", False),
        ("BERT pre-trained", True),
    ):
        keras.utils.set_random_seed(options.seed)
        model = fit(
            TaskModel(copy_of(encoder, read), TokenClassification(len(TAGS))),
            rows.inputs,
            rows.tags,
            sizes.tag_updates,
            options.seed,
            weighted_metrics=[EntityF1(TAGS)],
        )
        shares = model.predict(asked.inputs, batch_size=128, verbose=0)
        found[name] = tagged = asked.words_of(shares)
    print_tags(gold, found)
    chosen = [i for i, words in enumerate(sentences) if 12 <= len(words) <= 40]
    chosen = sorted(chosen, key=lambda i: -len(tag_chunks(gold[i])))[:8]
    pictures.draw_tags(
        *([part[i] for i in chosen] for part in (sentences, tagged, gold)),
        KINDS,
        options.out / "tags.png",
    )


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path, default="out/spans_and_tags"
    )
    parser.add_argument(
        "--encoder",
        type=pathlib.Path,
        default="out/pretraining",
        help="the folder that tutorial 4 wrote",
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

    print(f"Spans and tags, on {keras.backend.backend()}.")
    parts = python.read_parts(sizes.files)
    encoder, vocabulary = load_encoder(
        options.encoder, parts, sizes, options.seed
    )
    tell_spans(encoder, vocabulary, parts, sizes, options)
    tell_tags(encoder, vocabulary, parts, sizes, options)
    print(
        f"\nTwo pictures are in {options.out} "
        f"({time.perf_counter() - begin:.0f} s)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
