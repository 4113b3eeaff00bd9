"""What counting can do: the baselines of tutorials 4 and 5."""

import collections

import numpy as np


def commonest(keys, values):
    """For each key, the value that came with it most often."""
    counts = collections.Counter(zip(keys, values, strict=True))
    rarest_first = reversed(counts.most_common())
    return {key: value for (key, value), _ in rarest_first}


class Neighbours:
    """Guesses what stood most often between the two neighbours of a token.

    Where these two never stood around a token, the left one alone decides, and
    where that is hidden, too, it is the most frequent token of all.
    """

    def __init__(self, rows, special):
        real = ~np.isin(rows[:, 1:-1], special)
        left, token, right = (
            part[real].tolist()
            for part in (rows[:, :-2], rows[:, 1:-1], rows[:, 2:])
        )
        self.between = commonest(zip(left, right, strict=True), token)
        self.behind = commonest(left, token)
        self.most_frequent = collections.Counter(token).most_common(1)[0][0]

    def __call__(self, left, right):
        guess = self.behind.get(left, self.most_frequent)
        return self.between.get((left, right), guess)


class WordCounts:
    """Naive Bayes: a sentence is on the topic whose words it has.

        sum over its words of log p(word | topic)

    Each word counts as if it had been there once more than it was, so that
    none is impossible. With few labels, that is hard to beat.
    """

    def __init__(self, examples):
        texts = [sentence.lower().split() for sentence in examples.sentences]
        words = sorted({word for text in texts for word in text})
        self.index = {word: i for i, word in enumerate(words)}
        counts = np.ones((examples.topics.max() + 1, len(words)))
        for text, topic in zip(texts, examples.topics, strict=True):
            for word in text:
                counts[topic, self.index[word]] += 1
        self.logs = np.log(counts / counts.sum(axis=1, keepdims=True))

    def __call__(self, sentence):
        words = sentence.lower().split()
        known = [self.index[word] for word in words if word in self.index]
        return int(self.logs[:, known].sum(axis=1).argmax())


class CommonTags:
    """Gives each word the tag that it had most often; a new one gets O."""

    def __init__(self, sentences, tags):
        words = [word for sentence in sentences for word in sentence]
        given = [name for row in tags for name in row]
        self.tags = commonest(words, given)

    def __call__(self, words):
        return [self.tags.get(word, "O") for word in words]
