"""A pytest plugin: `pytest -p keras_dl.testing.plugin`.

It gives tests the fixture `backends_agree`, and pytest the option
`--backends`, by which the fixture is limited to some backends:

```python
def test_my_layer(backends_agree):
    backends_agree(my_case, tolerance=1e-5)
```
"""

import pytest

from keras_dl.testing.compare import assert_backends_agree


def pytest_addoption(parser):
    """Adds `--backends`."""
    parser.addoption(
        "--backends",
        default=None,
        help="backends to compare, comma-separated (default: all installed)",
    )


@pytest.fixture
def backends_agree(request):
    """`assert_backends_agree`, on the backends of `--backends`."""
    chosen = request.config.getoption("--backends")
    backends = chosen.split(",") if chosen else None

    def check(case, **options):
        return assert_backends_agree(case, **{"backends": backends, **options})

    return check
