"""Private names of Keras that the library stands on.

What is called by a private name fails loudly when Keras renames it. What is
overridden, or asked for with `getattr`, would fail in silence: `require` is for
that. `tests/test_keras_internals.py` lists all of them.
"""

import keras


def require(owner, *names):
    """Refuses a Keras whose `owner` lacks one of the names.

    Args:
        owner: A class of Keras, or one of its objects.
        names: Names of attributes.

    Raises:
        ImportError: If one is not there.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        kind = owner if isinstance(owner, type) else type(owner)
        raise ImportError(
            f"keras_dl stands on {missing} of {kind.__name__}, which keras "
            f"{keras.__version__} does not have. Install a version that "
            "pyproject.toml allows."
        )
