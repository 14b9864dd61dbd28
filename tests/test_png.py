import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datagen.errors import BadInputError
from datagen.masks import Grid
from datagen.readers.png import PALETTE, read_label_map, read_picture

PATH = Path("000007.png")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(labels, filters):
    """Write a PNG with a filter of choice for every row."""
    height, width = labels.shape
    raw = labels.astype(">u2").view(np.uint8).reshape(height, -1).astype(np.int64)
    rows = []
    for y, kind in enumerate(filters):
        line, above = raw[y], raw[y - 1] if y else np.zeros_like(raw[0])
        left = np.concatenate([[0, 0], line[:-2]])
        corner = np.concatenate([[0, 0], above[:-2]])
        guess = left + above - corner
        distance = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)])
        paeth = np.stack([left, above, corner])[distance.argmin(axis=0), np.arange(2 * width)]
        prediction = [np.zeros_like(line), left, above, (left + above) // 2, paeth][kind]
        rows.append(bytes([kind]) + ((line - prediction) % 256).astype(np.uint8).tobytes())
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


@given(st.data())
def test_every_filter_at_any_rows(data):
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))
    labels = (
        np.random.default_rng(data.draw(st.integers(0, 999))).integers(0, 1 << 16, (height, width)).astype(np.uint16)
    )
    png = encode(labels, data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height)))
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), labels)
    rows = np.array(sorted(data.draw(st.lists(st.integers(0, height - 1), min_size=1, max_size=15))))
    columns = np.array(sorted(data.draw(st.lists(st.integers(0, width - 1), min_size=1, max_size=12))))
    read, *size = read_label_map(png, PATH, lambda *_: Grid(rows, columns))
    assert size == [height, width]
    np.testing.assert_array_equal(read, labels[rows][:, columns])
    np.testing.assert_array_equal(read_label_map(png, PATH)[0], labels)


@pytest.mark.parametrize("kind", range(5))
def test_a_filter(kind):
    labels = np.random.default_rng(kind).integers(0, 1 << 16, (5, 7)).astype(np.uint16)
    np.testing.assert_array_equal(read_label_map(encode(labels, [kind] * 5), PATH)[0], labels)


def interlace(labels):
    """Write an interlaced PNG (Adam7), each pass without filters."""
    height, width = labels.shape
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    raw = b"".join(
        b"\0" + row.tobytes()
        for x, y, right, down in passes
        for row in labels[y::down, x::right].astype(">u2")
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 999))
def test_interlaced_pictures(height, width, seed):
    labels = np.random.default_rng(seed).integers(0, 1 << 16, (height, width)).astype(np.uint16)
    png = interlace(labels)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), labels)
    np.testing.assert_array_equal(read_label_map(png, PATH)[0], labels)


@pytest.mark.parametrize("interlaced", [False, True])
def test_no_flipped_bit_gives_other_labels(capfd, interlaced):
    labels = np.arange(80, dtype=np.uint16).reshape(8, 10)
    png = interlace(labels) if interlaced else encode(labels, [0, 1, 2, 3, 4, 0, 1, 2])
    for place in range(8 * len(png)):
        flipped = bytearray(png)
        flipped[place // 8] ^= 1 << place % 8
        with suppress(BadInputError):  # of the end chunk's checksum nothing depends
            np.testing.assert_array_equal(read_label_map(bytes(flipped), PATH)[0], labels)
    for end in range(len(png) - 12):
        with pytest.raises(BadInputError):
            read_label_map(png[:end], PATH)
    assert capfd.readouterr().err == ""


def claim(width, height, data=b"", interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [0, 1])
def test_bombs_do_not_go_off(interlaced):
    import tracemalloc

    for size in ((65536, 65536), (30000, 30000), (2**32 - 1, 2**32 - 1)):
        with pytest.raises(BadInputError, match="which no frame is"):
            read_label_map(claim(*size, zlib.compress(b""), interlaced), PATH)
    bomb = zlib.compress(bytes(1 << 26))
    tracemalloc.start()
    with pytest.raises(BadInputError, match="damaged"):
        read_label_map(claim(10, 8, bomb, interlaced), PATH)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def picture(array):
    return cv2.imencode(".png", array)[1].tobytes()


GOOD = picture(np.arange(48, dtype=np.uint16).reshape(6, 8))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"hello", "not a PNG", id="another format"),
        pytest.param(GOOD[:30], "damaged or cut off", id="cut in the header"),
        pytest.param(GOOD[:-20], "damaged or cut off", id="cut in the data"),
        pytest.param(GOOD[:60] + bytes([GOOD[60] ^ 255]) + GOOD[61:], "damaged or cut off", id="a flipped byte"),
        pytest.param(picture(np.zeros((4, 4), np.uint8)), "8-bit grey image", id="8-bit"),
        pytest.param(picture(np.zeros((4, 4, 3), np.uint16)), "is a 16-bit RGB image", id="colour"),
        pytest.param(encode(np.zeros((2, 2), np.uint16), [0, 0]).replace(b"IEND", b"IEnd"), "damaged", id="no end"),
    ],
)
def test_bad_files(data, problem):
    with pytest.raises(BadInputError, match=problem) as error:
        read_label_map(data, PATH)
    assert str(error.value).startswith("000007.png: ")
    assert "\n" not in str(error.value)


def test_an_unknown_filter_is_damage():
    png = encode(np.zeros((1, 2), np.uint16), [0])
    bad = png.replace(zlib.compress(b"\0" * 5), zlib.compress(b"\7" + b"\0" * 4))
    with pytest.raises(BadInputError, match="damaged"):
        read_label_map(bad, PATH)


def test_an_interlaced_picture_of_one_pixel():
    # A 1 x 1 picture has one pass, so its interlaced form holds the same bytes.
    png = encode(np.array([[513]], np.uint16), [0])
    header = struct.pack(">IIBBBBB", 1, 1, 16, 0, 0, 0, 1)
    interlaced = png[:8] + chunk(b"IHDR", header) + png[33:]
    assert read_label_map(interlaced, PATH)[0].tolist() == [[513]]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(BadInputError):
        read_label_map(b"\x89PNG\r\n\x1a\n" + data, PATH)


def written(array, mode, **options):
    stream = BytesIO()
    image = Image.fromarray(array, mode=None if mode in ("P", "1") else mode)
    if mode == "P":
        image = Image.frombytes("P", array.shape[::-1], array.tobytes())
        image.putpalette(list(range(256)) * 3)
    elif mode == "1":
        image = image.convert("1", dither=Image.Dither.NONE)
    image.save(stream, "png", **options)
    return stream.getvalue()


@pytest.mark.parametrize(("mode", "channels"), [("L", 0), ("P", 0), ("RGB", 3), ("RGBA", 4)])
@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 99))
def test_8_bit_pictures(mode, channels, height, width, seed):
    shape = (height, width, channels) if channels else (height, width)
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    array[::2] //= 64  # rows that ask for other filters
    picture = read_picture(written(array, mode), PATH)
    assert (picture.height, picture.width, picture.depth) == (height, width, 8)
    assert picture.pixels.dtype == np.uint8
    np.testing.assert_array_equal(picture.pixels, array)
    grid = Grid(np.arange(0, height, 2), np.arange(0, width, 3))
    np.testing.assert_array_equal(
        read_picture(written(array, mode), PATH, lambda *_: grid).pixels, array[grid.rows][:, grid.columns]
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_a_pixel(bits):
    indices = np.random.default_rng(bits).integers(0, 1 << bits, (5, 11)).astype(np.uint8)
    picture = read_picture(written(indices, "P", bits=bits), PATH)
    assert (picture.depth, picture.colour) == (bits, PALETTE)
    np.testing.assert_array_equal(picture.pixels, indices)
    grey = read_picture(written(indices.astype(bool), "1"), PATH)
    np.testing.assert_array_equal(grey.pixels, indices > 0)


@pytest.mark.parametrize("palette", [chunk(b"PLTE", bytes(9)), b""])
def test_colours_beyond_the_palette(palette):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes([0, 0, 3])))
    with pytest.raises(BadInputError, match=f"holds colour 3, beyond its palette of {3 if palette else 0}"):
        read_picture(b"\x89PNG\r\n\x1a\n" + header + palette + data + chunk(b"IEND", b""), PATH)
