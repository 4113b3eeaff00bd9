"""The same losses, from the same weights and noise, on every backend."""

import gans
import pytest

from keras_dl.testing import compare_many

CASES = [
    gans.vanilla_case,
    gans.conditional_case,
    gans.wgan_case,
    gans.wgan_gp_case,
    gans.unrolled_case,
    gans.mad_gan_case,
    gans.mode_regularized_case,
    gans.image_to_image_case,
    gans.cycle_gan_case,
    gans.progressive_case,
    gans.stacked_case,
]


@pytest.fixture(scope="module")
def reports():
    return dict(zip(CASES, compare_many(CASES), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_agree(case, reports):
    report = reports[case]
    losses = [row for row in report.rows if "_loss of step" in row.name]
    assert len(losses) >= 40
    assert max(row.worst for row in losses) <= 1e-4, report
