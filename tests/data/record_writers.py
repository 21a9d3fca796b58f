"""TFRecord files of numbered pictures."""

import numpy as np
import tensorflow as tf


def example(**features):
    """A serialized `tf.train.Example` of bytes and integers; `__` stands for `/` in names."""

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    named = {name.replace("__", "/"): feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def shade(number, size=6):
    """A flat gray picture of level 10 * number, as PNG, of class number % 3."""
    picture = np.full([size, size, 1], 10 * number, np.uint8)
    return example(image__encoded=tf.io.encode_png(picture).numpy(), image__class__label=number % 3)


def write(folder, records, num_files=3, compression="", ending="tfrecord"):
    """Writes records to as many files, one after the other in turns; returns a pattern."""
    folder.mkdir(exist_ok=True)
    for number in range(num_files):
        path = f"{folder}/{number}.{ending}"
        with tf.io.TFRecordWriter(path, compression) as writer:
            for record in records[number::num_files]:
                writer.write(record)
    return f"{folder}/*.{ending}"


def in_files(num_records, num_files=3):
    """The numbers of such records in the order of the files."""
    return [n for first in range(num_files) for n in range(first, num_records, num_files)]


def levels(images):
    """The numbers of shades."""
    return np.rint((np.asarray(images)[:, 0, 0, 0] + 1) * 127.5 / 10).astype(int)
