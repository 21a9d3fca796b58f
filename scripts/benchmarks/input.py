"""How many images a second each kind of data gives, and what starting deep in an epoch takes.

.venv/bin/python scripts/benchmarks/input.py

Pictures are written as JPEG to a folder that is removed at the end. "All rows" is one reader of the
whole batch; "own rows" one of four workers, which reads a quarter, and so at best gives four times
as many of the images of the whole batch. "Per core" counts the seconds that cores have worked,
which other programs on the machine disturb least; so do the seconds until the first batch, of a
stream that begins at the beginning of an epoch and of one at 90 % of it. Medians over turns.
"""

import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
import tensorflow_datasets
from absl import app, flags

import tfgan_stab as tgs

COUNT = flags.DEFINE_integer("count", 20_000, "Pictures of 64x64; a tenth as many of 256x256.")
SECONDS = flags.DEFINE_float("seconds", 1.0, "Of a turn.")
TURNS = flags.DEFINE_integer("turns", 5, "How often each is timed.", lower_bound=1)
BATCH, WORKERS = 64, 4


def pictures(size, count):
    """JPEG files of soft noise, about as large as those of photographs; 64 of them, repeated."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(min(count, 64)):
        coarse = random.integers(0, 256, [1, size // 8, size // 8, 3])
        soft = tf.image.resize(coarse, [size, size], "bicubic")[0] + random.normal(
            0, 4, [size] * 2 + [3]
        )
        made.append(tf.io.encode_jpeg(tf.cast(tf.clip_by_value(soft, 0, 255), tf.uint8)).numpy())
    return [made[number % len(made)] for number in range(count)]


class Pictures(tensorflow_datasets.core.GeneratorBasedBuilder):
    """The same pictures as a set of TensorFlow Datasets."""

    VERSION = tensorflow_datasets.core.Version("1.0.0")
    FOLDER = ""

    def _info(self):
        feature = tensorflow_datasets.features.Image(encoding_format="jpeg")
        return tensorflow_datasets.core.DatasetInfo(
            builder=self,
            features=tensorflow_datasets.features.FeaturesDict({"image": feature}),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number, path in enumerate(sorted(pathlib.Path(self.FOLDER).glob("*.jpg"))):
            yield number, {"image": str(path)}


def write(folder, size, count):
    """Writes the pictures in every form."""
    files = folder / "files"
    files.mkdir(parents=True)
    for kind in ("", "GZIP"):
        (folder / f"records{kind}").mkdir()
    writers = [
        tf.io.TFRecordWriter(f"{folder}/records{kind}/{number}", kind)
        for kind in ("", "GZIP")
        for number in range(8)
    ]
    for number, picture in enumerate(pictures(size, count)):
        (files / f"{number:06d}.jpg").write_bytes(picture)
        feature = {"image/encoded": tf.train.Feature(bytes_list={"value": [picture]})}
        record = tf.train.Example(features={"feature": feature}).SerializeToString()
        for writer in writers[number % 8 :: 8]:
            writer.write(record)
    for writer in writers:
        writer.close()
    Pictures.FOLDER = str(files)
    Pictures(data_dir=folder / "tfds").download_and_prepare()


def sources(folder, size):
    """Functions that open each kind of data of one size."""
    common = {"batch_size": BATCH, "size": size}
    return {
        "`image_folder`": lambda: tgs.data.image_folder(folder / "files", **common),
        "`tfrecords`": lambda: tgs.data.tfrecords(f"{folder}/records/*", **common),
        "`tfrecords`, front to back": lambda: tgs.data.tfrecords(
            f"{folder}/records/*", shuffle_buffer=1000, **common
        ),
        "`tfrecords`, gzip": lambda: tgs.data.tfrecords(
            f"{folder}/recordsGZIP/*", shuffle_buffer=1000, **common
        ),
        "`tfds`": lambda: tgs.data.tfds("pictures", data_dir=str(folder / "tfds"), **common),
    }


def rate(stream):
    """Images of the whole batch that a stream gives per second, and per second of one core."""
    iterator = iter(stream)
    for _ in range(3):
        next(iterator)
    begin, work, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < SECONDS.value:
        next(iterator)
        steps += 1
    images = steps * BATCH
    return images / (time.perf_counter() - begin), images / (time.process_time() - work)


def start(batches, step):
    """Seconds of work until the batch of a step is there."""
    begin = time.process_time()
    next(iter(batches.starting_at(step)))
    return time.process_time() - begin


def measured(batches):
    """Medians over turns, kinds of work taking turns."""
    late = int(0.9 * batches.num_examples) // BATCH
    work = {
        "all rows": lambda: rate(batches),
        "own rows": lambda: rate(batches.of_process(1, WORKERS, WORKERS)),
        "first": lambda: start(batches, 0),
        "late": lambda: start(batches, late),
    }
    found = {name: [] for name in work}
    for _ in range(TURNS.value):
        for name, run in work.items():
            found[name].append(run())
    return {name: np.median(values, axis=0) for name, values in found.items()}


def show(size, name, found):
    """Prints a row of the table."""
    whole, own = found["all rows"], found["own rows"]
    print(
        f"| {size} | {name} | {whole[0]:,.0f} | {whole[1]:,.0f} | {own[1]:,.0f} "
        f"| {found['first']:.2f} s | {found['late']:.2f} s |",
        flush=True,
    )


def main(_):
    """Measures everything and prints a table."""
    print(
        "| pictures | source | images/s | per core | own rows, per core | first batch | at 90 % |"
    )
    print("|---|---|---|---|---|---|---|")
    show("8x8", "`digits`", measured(tgs.data.digits(batch_size=BATCH)))
    with tempfile.TemporaryDirectory() as place:
        for size, count in ((64, COUNT.value), (256, COUNT.value // 10)):
            folder = pathlib.Path(place, str(size))
            write(folder, size, count)
            for name, opened in sources(folder, size).items():
                begin = time.process_time()
                batches = opened()
                opening = time.process_time() - begin
                show(
                    f"JPEG {size}x{size}", f"{name} (opened in {opening:.2f} s)", measured(batches)
                )


if __name__ == "__main__":
    app.run(main)
