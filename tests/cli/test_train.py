"""The settings of the command `train`; that it trains is tested in `tests/retrieval`."""

import pytest

pytest.importorskip("torch")

from jpegcrypt.cli.terminal import Stop
from jpegcrypt.cli.train import parse
from jpegcrypt.retrieval.models import recipe


def test_settings_are_sorted_by_whom_they_concern():
    given = ["depth=6", "epochs=40", "milestones=[20,30]", "precision=bf16", "head=tanh"]
    config, changed = parse(given, "gmlp")
    assert config == {"depth": 6, "head": "tanh"}
    assert (changed.epochs, changed.milestones, changed.precision) == (40, (20, 30), "bf16")
    assert changed.learning_rate == recipe("gmlp").learning_rate


def test_a_training_may_end_with_its_warmup():
    _, changed = parse(["epochs=3", "warmup=3"], "block_set")
    assert changed.schedule == "cosine"
    assert [changed.rate(epoch) for epoch in (0, 3)] == pytest.approx([3e-4, 0])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("epochs=abc", "epochs 'abc', expected a whole number from 0"),
        ("epochs=1.5", "epochs '1.5', expected a whole number from 0"),
        ("epochs=true", "epochs 'true', expected a whole number from 0"),
        ("epochs=0", "epochs 0, expected at least 1"),
        ("batch_classes=0", "batch_classes 0, expected at least 2"),
        ("learning_rate=NaN", "learning_rate 'NaN', expected a number from 0"),
        ("learning_rate=x", "learning_rate 'x', expected a number from 0"),
        ("hidden=-1", "hidden '-1', expected a whole number from 0"),
        (f"words={10**20}", f"words '{10**20}', expected a whole number from 0"),
        ("hidden=[1]", "hidden '[1]', expected a whole number from 0"),
        ("milestones=x", "milestones 'x', expected whole numbers"),
        ("histograms=1", "histograms '1', expected true or false"),
        ("precision=foo", "precision 'foo', expected one of float32, bf16"),
        ("height=192", "no setting 'height=192' of block_set"),
        ("epochs", "no setting 'epochs' of block_set"),
    ],
)
def test_what_no_setting_can_be(setting, told):
    with pytest.raises(Stop) as error:
        parse([setting], "block_set")
    assert str(error.value).startswith(told)
