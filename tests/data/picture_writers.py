"""Image files that Pillow does not write, by the letter of their formats."""

import struct
import zlib

import numpy as np


def png(rows, bits, kind, chunks=()):
    """A PNG file.

    Args:
        rows: Integers `[height, width, channels]`, or `[height, width]`.
        bits: Of a sample: 1, 2, 4, 8 or 16.
        kind: 0 for gray, 2 for color, 3 for a palette, 4 for gray and alpha, 6 for color and alpha.
        chunks: Pairs of a type and what the chunk holds, between header and pixels.
    """
    rows = np.asarray(rows)
    height, width = rows.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    lines = b"".join(b"\0" + _packed(row.ravel(), bits) for row in rows)
    every = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in every
    )


def _packed(samples, bits):
    if bits == 16:
        return samples.astype(">u2").tobytes()
    digits = "".join(f"{sample:0{bits}b}" for sample in samples.tolist())
    digits += "0" * (-len(digits) % 8)
    return bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8))


def tiff(samples, photometric, order="<", extra=()):
    """An uncompressed TIFF file of one strip.

    Args:
        samples: Integers or floats `[height, width, channels]`, of the dtype to store.
        photometric: What they mean: 0 if white is 0, 1 if black is 0, 2 for color.
        order: "<" for Intel's order of bytes, ">" for Motorola's.
        extra: Further tags, as tuples `(number, value)`.
    """
    height, width, channels = samples.shape
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    bits = samples.dtype.itemsize * 8
    kind = 3 if samples.dtype.kind == "f" else 1
    tags = {256: width, 257: height, 258: [bits] * channels, 259: 1, 262: photometric}
    tags |= {273: 8, 277: channels, 278: height, 279: len(pixels), 339: [kind] * channels}
    tags |= dict(extra)
    begin = 8 + len(pixels)
    directory, behind = b"", b""
    beyond = begin + 2 + 12 * len(tags) + 4  # Where values lie that do not fit into their entry.
    for number, value in sorted(tags.items()):
        values = value if isinstance(value, list) else [value]
        long = number in (273, 279)
        data = b"".join(struct.pack(order + ("I" if long else "H"), each) for each in values)
        if len(data) > 4:
            place = struct.pack(order + "I", beyond + len(behind))
            behind += data
            data = place
        head = struct.pack(order + "HHI", number, 4 if long else 3, len(values))
        directory += head + data.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, begin)
    count = struct.pack(order + "H", len(tags))
    return head + pixels + count + directory + bytes(4) + behind
