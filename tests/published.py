"""Tiny data of the tasks, in files of the very form that they are published in.

`write(folder)` writes the files of all tasks, `EXPECTED` says what they hold.
"""

import csv
import json

# Quotation marks stand alone in texts: in these files they part nothing.
SINGLE = [
    ("Our \"friends won't buy this.", 1),
    ("They drank the pub.", 0),
    ("Éva à la 北京 — 😀 , a longer text than all of the others here", 1),
    ("Bill coughed his way out of it .", 1),
    ("no", 0),
]
PAIRS = [
    ("He said \" the food business doesn 't fit .", "The business isn't", 1),
    ("Tab shares were up 19 cents , at A $ 4.56 .", "Shares rose .", 0),
    ("Where ?", "In the north of the very old town on the hill .", 1),
    ("When did it begin ?", 'It "began .', 0),
    ("a", "b", 0),
]
TRIPLES = [(a, b, i % 3) for i, (a, b, _) in enumerate(PAIRS)]
SCORES = (5, 4.75, 0, 2.4, 1)
SCORED = [(*pair[:2], s) for pair, s in zip(PAIRS, SCORES, strict=True)]
CHOICES = [
    (
        "Students lower their eyes nervously.",
        "She",
        ["pats her shoulder, then walks.", 'turns "round".', "walks", "sits"],
        2,
    ),
    ("He rides.", "He", ["looks", "stops, listening", "exits", "pulls it"], 0),
    ("A", "The very last one of them", ["a", "b", "c", "d and e"], 3),
]
CONTEXT = (
    "Ada Lovelace was born in London, the capital, in 1815. She wrote about "
    "the Analytical Engine of Charles Babbage, and died in 1852 in Marylebone."
)
ASKED = [
    ("56a", "Where was she born?", CONTEXT, ["London", "the capital"]),
    ("56b", "Whose engine was it?", CONTEXT, ["Charles Babbage"]),
    ("56c", "Who lives in Paris?", "Émile lives in Paris.", ["Émile"]),
]
UNANSWERED = [("5ad", "Where did Babbage die?", CONTEXT, [])]
SENTENCES = [
    (["EU", "rejects", "German", "call", "."], "B-ORG O B-MISC O O"),
    (["Peter", "Blackburn"], "B-PER I-PER"),
    (["BRUSSELS", "1996-08-22"], "B-LOC O"),
]
LABELS = {
    "entails": ("entailment", "not_entailment"),
    "mnli": ("entailment", "neutral", "contradiction"),
}


def hidden(examples):
    return [(*texts, None) for *texts, _ in examples]


def splits_of(examples):
    return {
        "train": examples,
        "validation": examples[:3],
        "test": hidden(examples[1:4]),
    }


EXPECTED = {
    "glue/cola": splits_of(SINGLE),
    "glue/sst2": splits_of(SINGLE),
    "glue/mrpc": splits_of(PAIRS),
    "glue/stsb": splits_of(SCORED),
    "glue/qqp": splits_of(PAIRS),
    "glue/mnli": {
        "train": TRIPLES,
        "validation_matched": TRIPLES[:3],
        "validation_mismatched": TRIPLES[2:],
        "test_matched": hidden(TRIPLES[:2]),
        "test_mismatched": hidden(TRIPLES[3:]),
    },
    "glue/qnli": splits_of(PAIRS),
    "glue/rte": splits_of(PAIRS),
    "glue/wnli": splits_of(PAIRS),
    "swag": splits_of(CHOICES),
    "squad/v1.1": {"train": ASKED, "validation": ASKED[:2]},
    "squad/v2.0": {"train": ASKED + UNANSWERED, "validation": UNANSWERED},
    "conll2003": {
        "train": SENTENCES,
        "validation": SENTENCES[:2],
        "test": SENTENCES[1:],
    },
}
FOLDERS = {
    "glue/cola": "CoLA",
    "glue/sst2": "SST-2",
    "glue/mrpc": "MRPC",
    "glue/stsb": "STS-B",
    "glue/qqp": "QQP",
    "glue/mnli": "MNLI",
    "glue/qnli": "QNLI",
    "glue/rte": "RTE",
    "glue/wnli": "WNLI",
    "swag": "swag",
    "squad/v1.1": "squad",
    "squad/v2.0": "squad",
    "conll2003": "conll",
}
ENTAILS = {
    "glue/qnli": ("entailment", "not_entailment"),
    "glue/rte": ("entailment", "not_entailment"),
    "glue/mnli": ("entailment", "neutral", "contradiction"),
}


def label(task, value):
    """A label as the file has it."""
    if task == "glue/stsb":
        return f"{value:.3f}"
    return ENTAILS[task][value] if task in ENTAILS else str(value)


def cola(i, text, value):
    return ["gj04", value, "" if value == "1" else "*", text]


def mnli(i, first, second, value):
    parses = ["( a b )", "( c d )", "(ROOT a)", "(ROOT c)"]
    row = [str(i), "31193", "31193n", "government", *parses, first, second]
    return [*row, "neutral", value]


def stsb(i, first, second, value):
    source = ["main-captions", "MSRvid", "2012test", "0001", "none", "none"]
    return [str(i), *source, first, second, value]


_MNLI = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse "
    "sentence1_parse sentence2_parse sentence1 sentence2"
)
_STSB = (
    "index genre filename year old_index source1 source2 sentence1 sentence2"
)
_NLI = "index sentence1 sentence2"
# Header of files with labels, the cells of a row, and the same of test files.
TSV = {
    "glue/cola": ("", cola, "index sentence", None),
    "glue/sst2": (
        "sentence label",
        lambda i, text, value: [text, value],
        "index sentence",
        None,
    ),
    "glue/mrpc": (
        "Quality|#1 ID|#2 ID|#1 String|#2 String",
        lambda i, a, b, value: [value, str(i), str(i + 50), a, b],
        "index|#1 ID|#2 ID|#1 String|#2 String",
        lambda i, a, b: [str(i), str(i), str(i + 50), a, b],
    ),
    "glue/stsb": (
        f"{_STSB} score",
        stsb,
        _STSB,
        lambda i, a, b: stsb(i, a, b, "")[:-1],
    ),
    "glue/qqp": (
        "id qid1 qid2 question1 question2 is_duplicate",
        lambda i, a, b, value: [str(i), "303345", "303346", a, b, value],
        "id question1 question2",
        None,
    ),
    "glue/mnli": (
        f"{_MNLI} label1 gold_label",
        mnli,
        _MNLI,
        lambda i, a, b: mnli(i, a, b, "")[:-2],
    ),
    "glue/qnli": (
        "index question sentence label",
        lambda i, a, b, value: [str(i), a, b, value],
        "index question sentence",
        None,
    ),
    **dict.fromkeys(
        ("glue/rte", "glue/wnli"),
        (
            f"{_NLI} label",
            lambda i, a, b, value: [str(i), a, b, value],
            _NLI,
            None,
        ),
    ),
}


def stem(split):
    return split.replace("validation", "dev")


def table(task, examples):
    """The lines of a file: header, if it has one, and rows of cells."""
    header, row, test_header, test_row = TSV[task]
    if examples[0][-1] is None:
        header = test_header
        cells = test_row or (lambda i, *texts: [str(i), *texts])
        rows = [cells(i, *one[:-1]) for i, one in enumerate(examples)]
    else:
        rows = [
            row(i, *one[:-1], label(task, one[-1]))
            for i, one in enumerate(examples)
        ]
    header = header.split("|" if "|" in header else " ")
    return ([header] if header != [""] else []) + rows


def tsv(task, examples):
    return "".join("\t".join(row) + "\n" for row in table(task, examples))


def write_mrpc(folder):
    """As Microsoft has it, which TensorFlow Datasets reads."""
    examples = EXPECTED["glue/mrpc"]
    for split in ("train", "test"):
        lines = "\ufeff" + tsv("glue/mrpc", examples[split])
        if split == "train":
            dev = tsv("glue/mrpc", examples["validation"]).splitlines()[1:]
            # The ids of these tell them from those of training.
            dev = [f"{line[:2]}9{line[2:]}" for line in dev]
            lines += "".join(line + "\n" for line in dev)
            ids = ["\t".join(line.split("\t")[1:3]) + "\n" for line in dev]
            (folder / "dev_ids.tsv").write_text("".join(ids), encoding="utf-8")
        (folder / f"msr_paraphrase_{split}.txt").write_text(
            lines, encoding="utf-8"
        )


def write_swag(path, examples):
    header = ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,"
    header = (header + "ending1,ending2,ending3,label").split(",")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        labels = [] if examples[0][-1] is None else ["label"]
        writer.writerow(header[: 11 + len(labels)])
        for i, (first, second, endings, value) in enumerate(examples):
            row = [i, "anetv_dm5W", "18419", f"{first} {second}"]
            row += [first, second, "gold", *endings]
            writer.writerow(row + [value] * len(labels))


def squad(examples, version):
    paragraphs = {}
    for id, question, context, texts in examples:
        answers = [
            {"text": text, "answer_start": context.index(text)}
            for text in texts
        ]
        asked = {"answers": answers, "question": question, "id": id}
        if version == "v2.0":
            asked["is_impossible"] = not texts
            if not texts:
                asked["plausible_answers"] = [
                    {"text": "London", "answer_start": 25}
                ]
        paragraphs.setdefault(context, []).append(asked)
    data = [
        {"title": "Ada", "paragraphs": [{"context": c, "qas": q}]}
        for c, q in paragraphs.items()
    ]
    return json.dumps({"data": data, "version": version})


def conll(examples):
    lines = ["-DOCSTART- -X- -X- O", ""]
    for words, tags in examples:
        pairs = zip(words, tags.split(), strict=True)
        lines += [f"{word} NNP B-NP {tag}" for word, tag in pairs]
        lines.append("")
    return "\n".join(lines) + "\n"


def write(folder):
    """Writes the files of all tasks, in the folders of `FOLDERS`."""
    for task, splits in EXPECTED.items():
        inside = folder / FOLDERS[task]
        inside.mkdir(exist_ok=True)
        for split, examples in splits.items():
            if task in TSV:
                path = inside / f"{stem(split)}.tsv"
                path.write_text(tsv(task, examples), encoding="utf-8")
            elif task == "swag":
                name = {"validation": "val"}.get(split, split)
                write_swag(inside / f"{name}.csv", examples)
            elif task == "conll2003":
                name = {"validation": "valid"}.get(split, split)
                (inside / f"{name}.txt").write_text(
                    conll(examples), encoding="utf-8"
                )
            else:
                version = task.removeprefix("squad/")
                path = inside / f"{stem(split)}-{version}.json"
                path.write_text(squad(examples, version), encoding="utf-8")
    write_mrpc(folder / "MRPC")
