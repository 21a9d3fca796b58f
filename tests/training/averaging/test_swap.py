"""Weights are swapped by copy: the trained ones come back bit for bit on every way out."""

import re

import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.training import distribution


@pytest.fixture
def trained(tiny, image_gan):
    """A GAN whose averages differ from its weights and from each other."""
    image_gan.fit(tiny.images(), steps_per_epoch=6, verbose=0)
    return image_gan


def held(tiny, gan):
    """The names of the weights that the generator holds now."""
    now = tiny.network(gan)
    names = [name for name in gan.averages if tiny.same(now, tiny.average(gan, name))]
    return names[0] if names else "live"


@pytest.mark.slow
def test_inside_the_average_is_held_and_afterwards_the_trained_weights_to_the_last_bit(
    tiny, trained
):
    live = tiny.network(trained)
    for name in ("ema", "late"):
        with trained.using(name):
            assert held(tiny, trained) == trained.weights_in_use.current == name
            assert not tiny.same(tiny.network(trained), live)
        assert tiny.same(tiny.network(trained), live)
    assert trained.weights_in_use.current == "live"


def test_nested_swaps_come_back_one_by_one(tiny, trained):
    live = tiny.network(trained)
    with trained.using("ema"):
        with trained.using("live"):
            assert tiny.same(tiny.network(trained), live)
            with trained.using("late"):
                assert held(tiny, trained) == "late"
            assert tiny.same(tiny.network(trained), live)
        assert held(tiny, trained) == "ema"
        with trained.using("late"), trained.using("ema"):
            assert held(tiny, trained) == "ema"
        assert held(tiny, trained) == "ema"
    assert tiny.same(tiny.network(trained), live)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_inside_brings_the_trained_weights_back(tiny, trained, error):
    live = tiny.network(trained)
    with pytest.raises(error, match="inside"), trained.using("late"), trained.using("ema"):
        raise error("inside")
    assert tiny.same(tiny.network(trained), live)


def test_infinities_and_nan_in_an_average_do_not_touch_the_trained_weights(tiny, trained):
    for variable, value in zip(trained._averages["ema"].averages, (np.inf, np.nan), strict=False):
        variable.assign(np.full(variable.shape, value))
    live = tiny.network(trained)
    with trained.using("ema"):
        assert not np.isfinite(trained.generator.variables[0].numpy()).any()
    assert tiny.same(tiny.network(trained), live)


def interrupt_the_next_write(monkeypatch, writes):
    """Ctrl-C after so many variables of the next write."""
    write = distribution.write

    def interrupted(variables, values):
        write(variables[:writes], values[:writes])
        monkeypatch.setattr(distribution, "write", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(distribution, "write", interrupted)


@pytest.mark.parametrize("writes", [0, 1, 3])
def test_ctrl_c_in_the_middle_of_a_swap_loses_nothing(tiny, trained, monkeypatch, writes):
    live = tiny.network(trained)
    interrupt_the_next_write(monkeypatch, writes)
    with pytest.raises(KeyboardInterrupt), trained.using("ema"):
        pytest.fail("the swap was interrupted")
    assert tiny.same(tiny.network(trained), live)


@pytest.mark.parametrize("writes", [0, 1, 3])
def test_ctrl_c_in_the_middle_of_swapping_back_loses_nothing(tiny, trained, monkeypatch, writes):
    live = tiny.network(trained)
    with pytest.raises(KeyboardInterrupt), trained.using("ema"):
        interrupt_the_next_write(monkeypatch, writes)
    trained.weights_in_use.switch("live")
    assert tiny.same(tiny.network(trained), live)


def test_live_means_the_trained_weights_also_while_an_average_is_held(tiny, trained):
    expected = trained.sample(5, seed=2)
    averaged = trained.sample(5, weights="ema", seed=2)
    assert not np.array_equal(expected, averaged)
    with trained.using("ema"):
        np.testing.assert_array_equal(trained.sample(5, seed=2), expected)
        np.testing.assert_array_equal(trained.sample(5, weights="ema", seed=2), averaged)
        assert held(tiny, trained) == "ema"


def test_an_iterator_over_samples_leaves_the_weights_alone_between_its_batches(tiny, trained):
    live = tiny.network(trained)
    for _ in trained.sample_batches(7, batch_size=3, weights="ema"):
        assert tiny.same(tiny.network(trained), live)


def test_fit_trains_the_trained_weights_also_where_an_average_is_held(tiny, trained):
    start = tiny.everything(trained)
    trained.fit(tiny.images(), steps_per_epoch=2, verbose=0)
    expected = tiny.everything(trained)
    tiny.put_back(trained, start)
    with trained.using("ema"):
        trained.fit(tiny.images(), steps_per_epoch=2, verbose=0)
        assert held(tiny, trained) == "ema"
    assert tiny.same(tiny.everything(trained), expected)


def test_an_unknown_name_is_told_with_the_known_ones(trained):
    message = re.escape("Weights must be one of ['live', 'ema', 'late']. Received: 'mean'.")
    for use in (
        lambda: trained.using("mean").__enter__(),
        lambda: trained.sample(1, weights="mean"),
        lambda: trained.weights_in_use.switch("mean"),
        lambda: trained.weights_in_use.values("mean"),
    ):
        with pytest.raises(ValueError, match=message):
            use()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.compile. begins a new training:UserWarning")
def test_compiling_while_an_average_is_held_keeps_the_trained_weights(tiny):
    gan = tiny.point_gan(eager=True)
    gan.fit(tgs.data.mixture(batch_size=4), steps_per_epoch=2, verbose=0)
    live = tiny.network(gan)
    with gan.using("ema"):
        tiny.compiled(gan, run_eagerly=True)
        assert tiny.same(tiny.network(gan), live)
    assert tiny.same(tiny.network(gan), live)
    assert tiny.same(tiny.average(gan), live)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.compile. begins a new training:UserWarning")
def test_compiling_again_leaves_no_previous_averages_and_counts_from_zero(tiny):
    gan = tiny.point_gan(eager=True)
    new = len(gan.variables)
    gan.fit(tgs.data.mixture(batch_size=4), steps_per_epoch=2, verbose=0)
    assert (gan.steps, gan.images_seen) == (2, 8)
    for _ in range(2):
        tiny.compiled(gan, run_eagerly=True)
        assert len(gan.variables) == new
        assert (gan.steps, gan.images_seen) == (0, 0)
    tiny.compiled(gan, {"mean": tgs.ExponentialAverage(0.5)}, run_eagerly=True)
    assert len(gan.variables) == new
    assert list(gan.averages) == ["mean"]
    with pytest.raises(ValueError, match=re.escape("one of ['live', 'mean']")):
        gan.sample(1, weights="ema")


@pytest.mark.slow
def test_averages_are_those_of_a_file_or_follow_weights_that_are_loaded(tiny, trained, tmp_path):
    trained.save_weights(tmp_path / "whole.weights.h5")
    trained.generator.save_weights(tmp_path / "generator.weights.h5")
    gan = tiny.image_gan({name: trained.averages[name] for name in ("ema", "late")})
    gan.load_weights(tmp_path / "whole.weights.h5")
    for name in ("live", "ema", "late"):
        np.testing.assert_array_equal(gan.sample(4, name), trained.sample(4, name))
    new = tiny.image_gan()
    new.generator.load_weights(tmp_path / "generator.weights.h5")
    np.testing.assert_array_equal(new.sample(4, "ema"), trained.sample(4))
