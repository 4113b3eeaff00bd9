"""The pictures of tutorials 4 and 5."""

import textwrap

import numpy as np

PALETTE = ("#a6cee3", "#b2df8a", "#fdbf6f", "#cab2d6", "#e8d27a", "#f4b6c2")


def new_figure(width, height):
    """A figure of this size in inches, which belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def percent(shares):
    return [100 * share for share in shares]


def literal(text):
    """A text in which nothing is a formula."""
    return text.replace("$", r"\$")


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def draw_line(axes, share, text):
    """A line across the axes, and what it stands for."""
    axes.axhline(100 * share, color="0.5", linewidth=1, linestyle="--")
    axes.annotate(
        f"{text}: {share:.1%}",
        (0.99, 100 * share),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )


def draw_curves(curve, counted, outcomes, path):
    """Hidden tokens guessed right: in the long run, and by strategy."""
    figure = new_figure(11, 4.5)
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot(curve.updates, percent(curve.held), "C0o-", label="held out")
    left.plot(curve.updates, percent(curve.learnt), "C0:", label="learnt from")
    for name, share in counted.items():
        draw_line(left, share, f"counted, {name}")
    left.set(title="All rows", ylabel="hidden tokens guessed right (%)")
    for color, (name, outcome) in zip(
        ("C1", "C0", "C2", "C3"), outcomes.items(), strict=False
    ):
        one = outcome.curve
        right.plot(one.updates, percent(one.held), f"{color}o-", label=name)
        right.plot(one.updates, percent(one.learnt), f"{color}:")
    right.set(title="Few rows, many times (dotted: learnt from)")
    for axes in (left, right):
        axes.set(xlabel="updates", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", fontsize=9)
    figure.savefig(path)


def draw_fine_tuning(shares, chance, path):
    """A bar for each way to tell topics, in groups by the number of labels."""
    names, labels = (
        list(dict.fromkeys(part)) for part in zip(*shares, strict=True)
    )
    figure = new_figure(7, 4.5)
    axes = figure.subplots()
    places, width = np.arange(len(labels)), 0.8 / len(names)
    for i, (name, color) in enumerate(
        zip(names, ("0.7", "C1", "C0"), strict=True)
    ):
        found = [percent(shares[name, number]) for number in labels]
        bars = axes.bar(
            places + (i - (len(names) - 1) / 2) * width,
            [np.mean(each) for each in found],
            0.95 * width,
            yerr=[np.std(each, ddof=1) for each in found],
            capsize=4,
            color=color,
            label=name,
        )
        axes.bar_label(bars, fmt="%.0f", label_type="center")
    draw_line(axes, chance, "guessing")
    axes.set_xticks(places, [f"{number} labels per topic" for number in labels])
    axes.set(
        ylabel="topics told right (%)",
        title="What a sentence is about, in documents held out",
    )
    axes.legend(loc="upper left")
    figure.savefig(path)


def draw_puzzles(puzzles, solutions, path):
    """Sentences with a gap, and the likeliest words; the right one in green."""
    figure = new_figure(11, 1.75 * -(-len(puzzles) // 2))
    grid = figure.subplots(-(-len(puzzles) // 2), 2, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, puzzle, guesses in zip(grid, puzzles, solutions, strict=False):
        tokens, shares = zip(*guesses, strict=True)
        colors = ["C2" if token == puzzle.word else "C0" for token in tokens]
        bars = axes.barh(range(len(tokens)), percent(shares), color=colors)
        axes.bar_label(
            bars,
            [
                literal(f"{token}  {share:.0%}")
                for token, share in zip(tokens, shares, strict=True)
            ],
            padding=4,
            fontsize=9,
        )
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        text = "\n".join(textwrap.wrap(literal(puzzle.text), 64))
        axes.set_title(f"{text}  [{puzzle.word}]", fontsize=9, loc="left")
    figure.savefig(path)


def draw_answers(examples, path):
    """How likely each token of a row begins an answer, and ends it.

    Args:
        examples: List of tuples: the question, the tokens of the row, the
            logits of starts and of ends, and the first and the last token of
            the true answer.
        path: Name of the PNG.
    """
    figure = new_figure(12, 2.7 * len(examples))
    every = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    for axes, (question, tokens, logits, (first, last)) in zip(
        every, examples, strict=True
    ):
        begins, ends = 100 * softmax(logits)[:, : len(tokens)]
        places = np.arange(len(tokens))
        axes.axvspan(first - 0.5, last + 0.5, color="C2", alpha=0.2)
        axes.bar(places, begins, color="C0", label="begins here")
        axes.bar(places, -ends, color="C1", label="ends here")
        axes.axhline(0, color="0.5", linewidth=0.5)
        axes.set_xticks(
            places,
            [literal(token) for token in tokens],
            rotation=90,
            fontsize=8,
        )
        axes.set_yticks([-100, 0, 100], ["100", "0", "100"])
        axes.set(
            title=literal(question),
            ylabel="probability (%)",
            xlim=(-1, len(tokens)),
            ylim=(-105, 105),
        )
    every[0].legend(loc="upper right", ncols=2, fontsize=9)
    figure.savefig(path)


def draw_tags(sentences, found, gold, kinds, path, columns=100):
    """Sentences in the colors of the tags found; a frame where one is wrong.

    Args:
        sentences: Lists of words.
        found: Lists of the tags that were found.
        gold: Lists of the right tags.
        kinds: What a tag can say after `B-` or `I-`.
        path: Name of the PNG.
        columns: Number of characters in a line.
    """
    from matplotlib.patches import Rectangle

    placed = list(typeset(sentences, columns))
    height = placed[-1][-1][2] + 1
    figure = new_figure(0.085 * columns, 0.27 * (height + 2))
    axes = figure.subplots()
    axes.set(xlim=(-1, columns + 1), ylim=(height, -2.5))
    axes.set_axis_off()
    colors = dict(zip(kinds, PALETTE, strict=True))
    words = [(kind, 14 * i, -1.5, kind, False) for i, kind in enumerate(kinds)]
    for row, tags, right in zip(placed, found, gold, strict=True):
        for place, tag, true in zip(row, tags, right, strict=True):
            words.append((*place, tag[2:], tag != true))
    for word, column, line, kind, wrong in words:
        axes.add_patch(
            Rectangle(
                (column - 0.35, line - 0.42),
                len(word) + 0.7,
                0.84,
                facecolor=colors.get(kind, "none"),
                edgecolor="crimson" if wrong else "none",
                linewidth=1.5,
            )
        )
        axes.text(
            column,
            line,
            literal(word),
            family="monospace",
            fontsize=9,
            va="center",
        )
    figure.savefig(path)


def typeset(sentences, columns):
    """For each word, itself, its column and its line."""
    line = 0
    for sentence in sentences:
        row, column = [], 0
        for word in sentence:
            if column + len(word) > columns:
                column, line = 0, line + 1
            row.append((word, column, line))
            column += len(word) + 1
        yield row
        line += 2
