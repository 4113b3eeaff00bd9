"""Several size reports beside each other: a table, and a picture."""

from keras_dl.callbacks.figures import figure_class, save

_SIZES = ("parameters", "nonzeros", "bytes", "packed_bytes", "flops", "seconds")
_MARKERS = "osD^v"


def size_table(reports):
    """A table of several models, as a text.

    Args:
        reports: Dict of `keras_dl.compression.SizeReport`s by name.

    Returns:
        A string of a line for each, in the order of the dict; what was not
        measured is `-`.

    Raises:
        ValueError: If there is no report.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> reports = {"whole": keras_dl.compression.size_report(model)}
    >>> print(size_table(reports).splitlines()[0].split()[:3])
    ['model', 'parameters', 'nonzeros']
    """
    _check(reports)
    measures = [
        name
        for report in reports.values()
        for name in report.quality
        if name != "loss"
    ]
    measures = list(dict.fromkeys(measures))
    lines = [["model", *_SIZES, *measures]]
    for name, report in reports.items():
        sizes = [_written(getattr(report, size)) for size in _SIZES]
        values = [_written(report.quality.get(m)) for m in measures]
        lines.append([name, *sizes, *values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def _written(value):
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def draw_sizes(reports, metric, path=None, size="packed_bytes"):
    """Draws size against quality: a point for each model.

    Args:
        reports: Dict of `keras_dl.compression.SizeReport`s by name.
        metric: Name in their `quality`.
        path: Name of the picture to write, or `None`. Folders are made.
        size: Which of the sizes: an attribute of the reports.

    Returns:
        The `matplotlib.figure.Figure`, which belongs to no window.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If a report has no such metric or size.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> x, y = np.ones((6, 4)), np.array([0, 1, 2] * 2)
    >>> report = keras_dl.compression.size_report(model, x, y, repeats=0)
    >>> figure = draw_sizes({"whole": report}, "accuracy", "sizes.png")
    """
    _check(reports)
    if size not in _SIZES:
        raise ValueError(
            f"`size` must be one of {list(_SIZES)}. Received: size={size!r}."
        )
    for name, report in reports.items():
        if metric not in report.quality or getattr(report, size) is None:
            raise ValueError(
                f"`metric` and `size` must have been measured. Received: "
                f"metric={metric!r}, size={size!r}; {name!r} has "
                f"quality={report.quality} and "
                f"{size}={getattr(report, size)}."
            )
    figure = figure_class()(figsize=(8, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for i, (name, report) in enumerate(reports.items()):
        point = getattr(report, size), report.quality[metric]
        # Colours come back after ten.
        marker = _MARKERS[i // 10 % len(_MARKERS)]
        label = name.replace("$", r"\$")
        axes.plot(*point, marker, markersize=8, alpha=0.8, label=label)
    axes.set(xscale="log", xlabel=size.replace("_", " "), ylabel=metric)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    save(figure, path)
    return figure


def _check(reports):
    if not reports:
        raise ValueError("`reports` must have a report at least. Received: {}.")
