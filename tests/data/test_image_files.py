"""Every kind of image file shows the pixels that NumPy says are in it."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from picture_writers import png, tiff

from tfgan_stab.data import image_files
from tfgan_stab.data.image_files import Decoder, read_header

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, [5, 7, 3], dtype=np.uint8)
GRAY = COLOR[..., :1]
CLEAR = RNG.integers(0, 256, [5, 7, 4], dtype=np.uint8)
CLEAR[0, :, 3], CLEAR[1, :, 3] = 0, 255


def saved(picture, kind, **settings):
    """An image file's bytes, written by Pillow."""
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


@pytest.fixture
def decoded(tmp_path):
    """Decodes a file's bytes as a folder would: by their header."""

    def decode(contents, white=None):
        (tmp_path / "picture").write_bytes(contents)
        header = read_header(str(tmp_path / "picture"))
        decode.header = header
        return image_files.decode(
            tf.constant(contents), header.decoder, header.orientation, white
        ).numpy()

    return decode


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("PNG", {}), ("TIFF", {}), ("BMP", {}), ("WEBP", {"lossless": True})],
    ids=["png", "tiff", "bmp", "webp"],
)
@pytest.mark.parametrize("pixels", [COLOR, GRAY], ids=["color", "gray"])
def test_lossless_files_show_the_pixels_they_were_made_of(decoded, kind, settings, pixels):
    shown = decoded(saved(pixels, kind, **settings))
    assert shown.dtype == np.uint8
    # WebP has no gray.
    assert shown.shape[-1] == pixels.shape[-1] or kind == "WEBP"
    np.testing.assert_array_equal(shown, np.broadcast_to(pixels, shown.shape))
    assert decoded.header.color == (shown.shape[-1] == 3)
    assert not decoded.header.animated


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_kept(decoded, kind):
    settings = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(decoded(saved(CLEAR, kind, **settings)), CLEAR)


def test_gray_and_alpha(decoded):
    for kind in ("PNG", "TIFF"):
        shown = decoded(saved(PIL.Image.fromarray(CLEAR[..., 2:], "LA"), kind))
        np.testing.assert_array_equal(shown, CLEAR[..., [2, 2, 2, 3]])
        assert not decoded.header.color


@pytest.mark.parametrize("pixels", [COLOR, GRAY], ids=["color", "gray"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_tensorflow_and_pillow_agree_on_jpeg(decoded, pixels, subsampling):
    smooth = np.kron(pixels, np.ones([8, 8, 1], np.uint8))
    file = saved(smooth, "JPEG", quality=90, subsampling=subsampling)
    shown = decoded(file)
    assert decoded.header.decoder == Decoder.PLAIN
    by_pillow = image_files.decode(tf.constant(file), Decoder.PILLOW).numpy()
    assert shown.shape == smooth.shape
    np.testing.assert_array_equal(shown, by_pillow)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_tensorflow_and_pillow_agree_on_plain_png(decoded, mode, interlaced):
    picture = PIL.Image.fromarray(COLOR).convert(mode)
    file = saved(picture, "PNG", interlace=interlaced)
    shown = decoded(file)
    assert decoded.header.decoder == Decoder.PLAIN
    np.testing.assert_array_equal(
        shown, image_files.decode(tf.constant(file), Decoder.PILLOW).numpy()
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_reach_from_black_to_white(decoded, bits):
    rows = np.arange(21).reshape(3, 7) % 2**bits
    shown = decoded(png(rows, bits, 0))
    np.testing.assert_array_equal(shown[..., 0], rows * 255 // (2**bits - 1))
    # One level is named as transparent.
    keyed = decoded(png(rows, bits, 0, [(b"tRNS", b"\0\1")]))
    np.testing.assert_array_equal(keyed[..., 3], np.where(rows == 1, 0, 255))
    np.testing.assert_array_equal(keyed[..., 0], shown[..., 0])


def test_one_color_of_a_png_may_be_transparent(decoded):
    key = b"".join(bytes([0, level]) for level in COLOR[2, 3])
    shown = decoded(png(COLOR, 8, 2, [(b"tRNS", key)]))
    np.testing.assert_array_equal(shown[..., :3], COLOR)
    assert np.argwhere(shown[..., 3] == 0).tolist() == [[2, 3]]


INDICES = RNG.integers(0, 4, [5, 7], dtype=np.uint8)
PALETTE = RNG.integers(0, 256, [4, 3], dtype=np.uint8)
ALPHAS = np.array([0, 90, 255, 255], np.uint8)


def paletted():
    picture = PIL.Image.fromarray(INDICES, "P")
    picture.putpalette(PALETTE.tobytes())
    return picture


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_palettes_give_each_pixel_its_color(decoded, kind):
    np.testing.assert_array_equal(decoded(saved(paletted(), kind)), PALETTE[INDICES])


def test_palettes_may_be_transparent(decoded):
    shown = decoded(saved(paletted(), "PNG", transparency=ALPHAS.tobytes()))
    np.testing.assert_array_equal(shown[..., :3], PALETTE[INDICES])
    np.testing.assert_array_equal(shown[..., 3], ALPHAS[INDICES])
    for kind in ("PNG", "GIF"):  # One entry alone.
        shown = decoded(saved(paletted(), kind, transparency=2))
        np.testing.assert_array_equal(shown[..., 3], np.where(INDICES == 2, 0, 255))
        seen = INDICES != 2
        np.testing.assert_array_equal(shown[seen, :3], PALETTE[INDICES][seen])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_light(decoded, kind):
    inks = np.array([[0, 0, 0, 0], [255, 0, 0, 0], [0, 100, 200, 0], [30, 60, 90, 120]], np.uint8)
    large = np.kron(inks[np.newaxis], np.ones([16, 16, 1], np.uint8))
    settings = {"quality": 100} if kind == "JPEG" else {}  # Adobe's, of inverted inks.
    file = saved(PIL.Image.fromarray(large, "CMYK"), kind, **settings)
    assert (b"Adobe" in file) == (kind == "JPEG")
    shown = decoded(file)
    paper = 255.0 - large
    expected = paper[..., :3] * paper[..., 3:] / 255
    np.testing.assert_allclose(shown, expected, atol=4 if kind == "JPEG" else 1)


# How each is stored to be seen as it is: the first row is at the visual top, top, bottom, bottom,
# left, right, right, left, the first column at the visual left, right, right, left, top, top,
# bottom, bottom.
STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: np.rot90(seen),
    7: lambda seen: seen[::-1, ::-1].swapaxes(0, 1),
    8: lambda seen: np.rot90(seen, -1),
}


def held(orientation):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    return exif


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_pictures_are_turned_as_exif_says(decoded, kind, orientation):
    seen = np.kron(COLOR[:2, :3], np.ones([16, 16, 1], np.uint8))
    stored = np.ascontiguousarray(STORED[orientation](seen))
    settings = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    shown = decoded(saved(stored, kind, exif=held(orientation), **settings.get(kind, {})))
    assert shown.shape == seen.shape
    np.testing.assert_allclose(shown, seen, atol=4 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [6, 7])
def test_transparent_and_deep_pictures_are_turned_too(decoded, orientation):
    stored = STORED[orientation]
    clear = np.ascontiguousarray(stored(CLEAR))
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decoded(saved(clear, kind, exif=held(orientation))), CLEAR)
    deep = RNG.integers(0, 65536, [4, 6, 1], np.uint16)
    picture = np.ascontiguousarray(stored(deep))
    tagged = tiff(picture, 1, extra=[(274, orientation)])
    exif = held(orientation).tobytes()[6:]
    for file in (tagged, png(picture, 16, 0, [(b"eXIf", exif)])):
        np.testing.assert_array_equal(decoded(file, 65535)[..., :1] * 257, deep)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_other_orientations_say_nothing(decoded, orientation):
    np.testing.assert_array_equal(decoded(saved(COLOR, "PNG", exif=held(orientation))), COLOR)


def test_a_picture_with_broken_exif_data_is_shown(decoded):
    file = png(COLOR, 8, 2, [(b"eXIf", b"no TIFF at all")])
    np.testing.assert_array_equal(decoded(file), COLOR)


DEEP = RNG.integers(0, 4096, [5, 7, 4], dtype=np.uint16)
DEEP[0, 0] = [0, 4095, 2047, 65535]


def levels(samples, white):
    return (samples.astype(np.float64) * 255 / white).astype(np.float32)


@pytest.mark.parametrize("white", [4095, 65535])
def test_sixteen_bits_are_scaled_by_white(decoded, white):
    gray = levels(DEEP[..., :1], white)
    files = [png(DEEP[..., :1], 16, 0), tiff(DEEP[..., :1], 1), tiff(DEEP[..., :1], 1, ">")]
    for file in files:
        shown = decoded(file, white)
        assert decoded.header.deep and not decoded.header.color
        np.testing.assert_allclose(shown[..., :3], np.repeat(gray, 3, axis=-1), rtol=1e-6)
        assert np.all(shown[..., 3] == 255)
    shown = decoded(png(DEEP[..., :3], 16, 2), white)
    np.testing.assert_allclose(shown[..., :3], levels(DEEP[..., :3], white), rtol=1e-6)
    assert decoded.header.color
    # What is opaque is so by 16 bits, whatever is white.
    for kind, samples in ((4, DEEP[..., 2:]), (6, DEEP)):
        shown = decoded(png(samples, 16, kind), white)
        np.testing.assert_allclose(shown[..., 3], levels(DEEP[..., 3], 65535), rtol=1e-6)


def test_twelve_bits_of_a_tiff(decoded):
    packed = bytes([0xFF, 0xF0, 0x00, 0x7F, 0xF8, 0x00])  # 4095, 0, 2047, 2048.
    file = tiff(np.frombuffer(packed, np.uint8).reshape(1, 6, 1), 1, extra=[(256, 4), (258, 12)])
    shown = decoded(file, 4095)
    np.testing.assert_allclose(shown[0, :, 0], [255, 0, 2047 / 4095 * 255, 2048 / 4095 * 255])


def test_eight_bits_among_sixteen_keep_their_levels(decoded):
    for pixels in (GRAY, COLOR, CLEAR):
        shown = decoded(saved(pixels, "PNG"), 4095)
        assert shown.dtype == np.float32
        np.testing.assert_array_equal(shown, pixels)


@pytest.mark.parametrize("write", [lambda deep: png(deep, 16, 0), lambda deep: tiff(deep, 1)])
def test_what_is_brighter_than_white_is_refused(tmp_path, write):
    (tmp_path / "a").write_bytes(write(np.array([[[0], [4096]]], np.uint16)))
    path = str(tmp_path / "a")
    headers, damaged = image_files.read_headers([path])
    assert not damaged
    assert list(image_files.shapes_of(headers, 4096)) == [path]
    assert image_files.shapes_of(headers, 4095) == {}
    assert image_files.damage_of(path, 4095) == (
        "it has values above white=4095. Give the value that is white in it"
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (tiff(DEEP[..., :3], 2), "a TIFF with colors of 16 bits is not read.*Convert it to PNG"),
        (tiff(DEEP[..., :1], 0), "a TIFF of 16 bits whose white is 0 is not read.*Convert it"),
        (
            tiff(np.zeros([2, 2, 1], np.float32), 1),
            "a TIFF with numbers of 32 bits is not read.*`tgs.data.arrays`",
        ),
        (b"", "not the bytes of a picture"),
        (b"GIF89a", "not the bytes of a picture"),
        (b"P6 1 1 255 abc", "not the bytes of a picture"),  # PPM, which Pillow reads.
        (png(COLOR, 8, 2)[:20], "."),
    ],
    ids=["deep color", "white is zero", "floats", "empty", "short", "other kind", "cut"],
)
def test_what_is_not_read_is_found_by_its_header(tmp_path, file, message):
    (tmp_path / "picture.tif").write_bytes(file)
    with pytest.raises(ValueError, match=message):
        read_header(str(tmp_path / "picture.tif"))


def test_enormous_pictures_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    (tmp_path / "picture.png").write_bytes(saved(COLOR, "PNG"))
    with pytest.raises(ValueError, match=r"35 pixels\) exceeds limit"):
        read_header(str(tmp_path / "picture.png"))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})],
    ids=["gif", "webp", "png", "tiff"],
)
def test_of_several_pictures_the_first_is_shown(decoded, kind, settings):
    first, second = (PIL.Image.new("RGB", (6, 4), (level, 0, 9)) for level in (40, 200))
    file = saved(first, kind, save_all=True, append_images=[second], **settings)
    np.testing.assert_array_equal(decoded(file), np.broadcast_to([40, 0, 9], [4, 6, 3]))
    assert decoded.header.animated
    decoded(saved(first, kind, **settings))
    assert not decoded.header.animated


def test_the_second_picture_of_a_phone_is_no_animation(decoded):
    first = PIL.Image.new("RGB", (16, 16), (40, 40, 40))
    file = saved(first, "MPO", save_all=True, append_images=[PIL.Image.new("RGB", (16, 16))])
    np.testing.assert_allclose(decoded(file), np.full([16, 16, 3], 40), atol=1)
    assert decoded.header.decoder == Decoder.PLAIN and not decoded.header.animated


@pytest.mark.slow
def test_graphs_decode_as_eager_calls_do(decoded):
    files = [
        saved(COLOR, "PNG", exif=held(6)),
        saved(CLEAR, "PNG"),
        saved(paletted(), "GIF", transparency=1),
        png(DEEP[..., :1], 16, 0),
        tiff(DEEP[..., :1], 1),
    ]
    shown = [decoded(file, 4095) for file in files]
    headers = []
    for file in files:
        decoded(file, 4095)
        headers.append(decoded.header)
    rows = (
        tf.constant(files),
        tf.constant([header.decoder for header in headers], tf.int32),
        tf.constant([header.orientation for header in headers], tf.int32),
    )
    in_graph = tf.data.Dataset.from_tensor_slices(rows).map(
        lambda *row: image_files.decode(*row, white=4095)
    )
    for one, other in zip(in_graph.as_numpy_iterator(), shown, strict=True):
        np.testing.assert_array_equal(one, other)


def test_headers_are_read_without_decoding(tmp_path, monkeypatch):
    for name, file in (("a", saved(COLOR, "PNG")), ("b", saved(COLOR, "WEBP")), ("c", b"")):
        (tmp_path / name).write_bytes(file)

    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.load", load)
    headers, damaged = image_files.read_headers([str(tmp_path / name) for name in "abc"])
    assert list(headers) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert damaged == {str(tmp_path / "c"): "these are not the bytes of a picture"}
