"""Keras' EarlyStopping restores the best weights; checkpoints stay those of the run."""

import keras
import pytest

import tfgan_stab as tgs
from tfgan_stab.callbacks.checkpoint_files import checkpoints


def run(tiny, gan, *callbacks, epochs):
    gan.fit(tiny.images(), epochs=epochs, steps_per_epoch=4, callbacks=list(callbacks), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("every", ["epoch", 1, 7])
def test_best_weights_restored_at_the_end_are_not_saved(tiny, image_gan, tmp_path, every):
    def contents():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    start, before = tiny.everything(image_gan), {}
    run(tiny, image_gan, epochs=3)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    note = tiny.Trace(lambda hook: before.update(contents()), "on_train_end")
    worse = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(worse=float(epoch))
    )
    stop = keras.callbacks.EarlyStopping("worse", 0, 2, mode="min", restore_best_weights=True)
    save = tgs.callbacks.Checkpoint(tmp_path, every, keep=12)
    run(tiny, image_gan, worse, stop, note, save, epochs=9)
    assert image_gan.steps == 4, "the first epoch was the best one"
    assert before and contents() == before
    last = {"epoch": 12, 1: 12, 7: 7}[every]
    assert checkpoints(tmp_path)[0].name == f"step-{last:010d}"
    tiny.disturb(image_gan)
    run(tiny, image_gan, tgs.callbacks.Checkpoint(tmp_path, every), epochs=3)
    assert tiny.same(tiny.everything(image_gan), expected)
