"""The report of a comparison of backends."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Row:
    """One tensor, compared.

    Attributes:
        name: What it is.
        shape: Its shape on the reference backend.
        size: The largest absolute entry on the reference backend.
        differences: By backend, the largest absolute difference from the
            reference, divided by `size` (by 1 if that is 0).
    """

    name: str
    shape: tuple
    size: float
    differences: dict

    @property
    def worst(self):
        """The largest of the differences; NaN counts as infinite."""
        return max(self.differences.values(), default=0.0)


@dataclasses.dataclass(frozen=True)
class Report:
    """What `compare_backends` found; `print` it for a table.

    Attributes:
        reference: The backend that the others are compared with.
        backends: The other backends.
        rows: `Row`s, worst difference first.
        seconds: By backend, the median time of a training step, or `None`.
    """

    reference: str
    backends: tuple
    rows: tuple
    seconds: dict

    @property
    def worst(self):
        """The largest difference of all."""
        return max((row.worst for row in self.rows), default=0.0)

    def __str__(self):
        lines = [
            f"Largest differences from {self.reference}, relative to the "
            "largest entry of each tensor:",
            "",
            _cells("tensor", "shape", "largest entry", *self.backends),
            _cells(*["---"] * (3 + len(self.backends))),
        ]
        for row in self.rows:
            differences = [f"{row.differences[b]:.1e}" for b in self.backends]
            shape = "x".join(map(str, row.shape)) or "scalar"
            lines.append(
                _cells(row.name, shape, f"{row.size:.3g}", *differences)
            )
        times = {b: s for b, s in self.seconds.items() if s is not None}
        if times:
            lines += ["", "Median time of a step:"]
            lines += [f"  {b}: {s * 1e3:.2f} ms" for b, s in times.items()]
        return "\n".join(lines)


def make_report(results, reference):
    """Compares `{backend: (tensors, seconds)}` with the reference's."""
    others = tuple(backend for backend in results if backend != reference)
    expected = results[reference][0]
    for backend in others:
        names = list(results[backend][0])
        if names != list(expected):
            raise ValueError(
                f"The case gives other tensors on {backend} than on "
                f"{reference}: {sorted(set(names) ^ set(expected)) or names}"
            )
    rows = [
        Row(
            name,
            array.shape,
            _size(array),
            {b: difference(results[b][0][name], array) for b in others},
        )
        for name, array in expected.items()
    ]
    rows.sort(key=lambda row: -row.worst)
    return Report(
        reference,
        others,
        tuple(rows),
        {backend: result[1] for backend, result in results.items()},
    )


def difference(actual, expected):
    """The largest absolute difference, relative to the largest entry."""
    if actual.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    actual, expected = actual.astype("float64"), expected.astype("float64")
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(actual - expected))
    gap = float(np.max(gap / (_size(expected) or 1.0)))
    return float("inf") if np.isnan(gap) else gap


def _size(array):
    finite = np.abs(array[np.isfinite(array)])
    return float(np.max(finite)) if finite.size else 0.0


def _cells(*cells):
    return "| " + " | ".join(cells) + " |"
