"""Pickles that somebody else wrote, to get at what is not theirs."""

import io
import os
import pickle
import pickletools
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import store
from datagen.errors import BadInputError
from datagen.store.release_pickle import unpickle


def plain(value):
    """Return the opcodes of a value, to be put between those of others."""
    return pickle.dumps(value, protocol=3)[2:-1]


def release(**change):
    data = {
        "pedestrians": [np.arange(t * 64).reshape(t, 8, 8) % 3 == 0 for t in (2, 3)],
        "pedestrians_latents": [np.ones((t, 3), np.float32) for t in (2, 3)],
    }
    return {**data, **change}


def read(data):
    return unpickle(io.BytesIO(data), Path("x.pickle"))


def listed(*opcodes):
    return b"\x80\x03}(" + plain("a") + b"](" + b"".join(opcodes) + b"eu."


BOOLEANS, ZEROS = plain(np.dtype(bool)), plain(bytes(192))


def array(shape=(3, 8, 8), dtype=BOOLEANS, data=ZEROS, fortran=b"\x89", version=b"K\x01"):
    """Return the opcodes of an array as numpy writes them, but for what is given."""
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + plain((0,)) + plain(b"b") + b"tR"
    return made + b"(" + version + plain(shape) + dtype + fortran + data + b"tb"


FROM_BUFFER = b"cnumpy.core.numeric\n_frombuffer\n("
SCALAR = b"cnumpy.core.multiarray\nscalar\n("
DTYPE = b"cnumpy\ndtype\n("
OBJECTS = DTYPE + plain("O8") + b"\x89\x88tR"


def test_what_this_file_takes_for_honest():
    (found,) = read(listed(array()))["a"]
    assert (found.shape, found.dtype) == ((3, 8, 8), bool)
    (found,) = read(listed(FROM_BUFFER, plain(bytes(24)), plain(np.dtype("f4")), plain((2, 3)), plain("C"), b"tR"))["a"]
    assert (found.shape, found.dtype) == ((2, 3), np.float32)
    assert read(listed(SCALAR, plain(np.dtype("f8")), plain(struct.pack("<d", 0.5)), b"tR")) == {"a": [0.5]}


HOSTILE = {
    "objects from bytes": listed(array((24,), OBJECTS, plain(b"A" * 192))),
    "objects from a short list": listed(array((2000,), OBJECTS, plain([1]))),
    "objects from a buffer": listed(FROM_BUFFER, plain(b"A" * 192), OBJECTS, plain((24,)), plain("C"), b"tR"),
    "a scalar that is an object": listed(SCALAR, OBJECTS, plain(b"A" * 8), b"tR"),
    "a list for bytes": listed(array(data=plain([1] * 192))),
    "text for bytes": listed(array(data=plain("A" * 192))),
    "too few bytes": listed(array(data=plain(bytes(191)))),
    "too many bytes": listed(array(data=plain(bytes(193)))),
    "a scalar of too few bytes": listed(SCALAR, plain(np.dtype("f8")), plain(b"A"), b"tR"),
    "a buffer of too few bytes": listed(
        FROM_BUFFER, plain(bytes(9)), plain(np.dtype("f4")), plain((3,)), plain("C"), b"tR"
    ),
    "a negative shape": listed(array((-3, -8, 8))),
    "a shape that wraps around": listed(array((2**62, 8, 8), data=plain(b""))),
    "a huge shape of nothing": listed(array((2**62, 0, 8), data=plain(b""))),
    "a shape of booleans": listed(array((True, True), data=plain(b"\1"))),
    "a shape of floats": listed(array((3.0, 64.0))),
    "fortran a number": listed(array(fortran=b"K\x01")),
    "another version": listed(array(version=b"K\x02")),
    "an array built twice": listed(array() + array()[-60:] + b"b"),
    "an array never built": listed(array().split(b"R")[0] + b"R"),
    "a dtype for the array": listed(array().replace(b"cnumpy\nndarray", b"cnumpy\ndtype")),
    "an array made by calling its type": listed(b"cnumpy\nndarray\n(", plain((24,)), OBJECTS, plain(b"A" * 192), b"tR"),
    "strides": listed(
        b"cnumpy\nndarray\n(", plain((3,)), plain("f8"), plain(bytes(24)), plain(0), plain((1 << 40,)), b"tR"
    ),
    "a dtype of an array": listed(DTYPE, array(), b"tR"),
    "a dtype with fields": listed(
        array((24,), DTYPE + plain("V8") + b"\x89\x88tR" + plain((3, "|", None, ("a",), {"a": 1}, 8, 1, 0)) + b"b")
    ),
    "a dtype with the flags of objects": listed(
        array(dtype=DTYPE + plain("b1") + b"\x89\x88tR" + plain((3, "|", None, None, None, -1, -1, 63)) + b"b")
    ),
    "a dtype of another size": listed(
        array(dtype=DTYPE + plain("b1") + b"\x89\x88tR" + plain((3, "|", None, None, None, 100, 1, 0)) + b"b")
    ),
    "dates": listed(array((24,), plain(np.dtype("M8[s]")), plain(bytes(192)))),
    "texts": listed(array((3,), plain(np.dtype("U2")), plain(bytes(24)))),
    "other encodings": listed(b"c_codecs\nencode\n(", plain("x"), plain("idna"), b"tR"),
    "a call of what is no function": listed(plain("f"), plain(()), b"R"),
    "an attribute set": listed(array(), b"}", plain("shape"), plain((1,)), b"sb"),
    "a list built": listed(b"]}b"),
    "lists in lists in lists": b"\x80\x02]]]aa.",
    "nested lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": b"\x80\x02N" + b"\x85" * 100_000 + b".",
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a list taken twice": b"\x80\x02](]q\x00h\x00e.",
    "a dictionary in a list": b"\x80\x02]}a.",
    "a duplicate": b"\x80\x02K\x012.",
    "a stack without end": b"\x80\x02(" + b"K\x01" * 20_000 + b"l.",
    "many marks": b"\x80\x02" + b"(" * 20_000 + b".",
    "taking from under a mark": b"\x80\x02](K\x01a.",
    "nothing to take": b"\x80\x02a.",
    "no mark": b"\x80\x02]K\x01e.",
    "a memo that is not there": b"\x80\x02h\x05.",
    "memoizing nothing": b"\x80\x04\x94.",
    "8 EB of bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "2^63 bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
    "8 EB of a bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "4 GB of bytes": b"\x80\x02B\xff\xff\xff\xff.",
    "a long number": b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
    "2 GB of a number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "100,000 digits": b"\x80\x02L" + b"9" * 100_000 + b"L\n.",
    "a name without end": b"\x80\x02c" + b"a" * 100_000,
    "a name of one word": b"\x80\x02cos\n\n.",
    "half of a surrogate pair": b"\x80\x02}(" + plain("a") + b"]X\x03\0\0\0\xed\xa0\x80au.",
    "a number as a name": b"\x80\x02}K\x01]s.",
    "no protocol": b"].",
    "protocol 1": b"\x80\x01].",
    "protocol 99": b"\x80\x63].",
    "no end": b"\x80\x02]",
    "more after the end": b"\x80\x02].]",
    "two values": b"\x80\x02]].",
    "a frame beyond the end": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f].",
    "a buffer from elsewhere": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_are_refused(data):
    with pytest.raises(BadInputError, match=r"refused|damaged") as error:
        read(data)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("name", ["POP", "POP_MARK", "DUP", "OBJ", "INST", "NEWOBJ", "NEWOBJ_EX", "EXT1", "BINPERSID"])
def test_no_other_opcode_is_followed(name):
    (opcode,) = [each for each in pickletools.opcodes if each.name == name]
    with pytest.raises(BadInputError, match=f"opcode {name}|damaged"):
        read(b"\x80\x04K\x01" + opcode.code.encode("latin1") + b"os\nsystem\n.")


@pytest.mark.parametrize(
    ("one", "other"),
    [(np.zeros((1000, 100), bool), "array"), ("x" * 70_000, "text")],
    ids=["an array in a hundred places", "a text in a thousand places"],
)
def test_little_does_not_become_much(one, other):
    data = pickle.dumps({"a": [one] * 1000}, protocol=4)
    assert len(data) < 110_000
    with pytest.raises(BadInputError, match="more than the file"):
        read(data)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("order", "CF")
def test_arrays_and_numbers_of_any_protocol(protocol, order):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.random((2, 3, 4)) * 99, dtype=code, order=order) for code in "?bBhHiIlLefd"]
    data = {"arrays": arrays, "numbers": [1, -(2**62), 0.5, True, "é", *(array[0, 0, 0] for array in arrays)]}
    found = read(pickle.dumps(data, protocol=protocol))
    assert found["numbers"] == data["numbers"]
    for one, other in zip(found["arrays"], arrays, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("names", [b"numpy._core.multiarray", b"numpy.core.multiarray"], ids=["numpy 2", "before"])
def test_both_names_of_numpy_are_known(names):
    data = pickle.dumps(release(), protocol=2).replace(b"numpy._core.multiarray", names)
    assert names in data
    np.testing.assert_array_equal(read(data)["pedestrians"][1], release()["pedestrians"][1])


def test_what_is_written_names_what_numpy_of_any_age_knows(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    data = (tmp_path / "kitti.pickle").read_bytes()
    texts = {value for opcode, value, _ in pickletools.genops(data) if "UNICODE" in opcode.name}
    assert {"numpy.core.multiarray", "_reconstruct", "numpy", "ndarray", "dtype"} <= texts
    assert not any("_core" in text for text in texts)
    pickle.loads(data)  # a wrong length of a frame would show


def test_the_releases_numpy_reads_what_is_written(kitti, old_numpy, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    program = (
        "import pickle, hashlib, sys\n"
        "data = pickle.load(open(sys.argv[1], 'rb'))\n"
        "for name in ('pedestrians', 'pedestrians_latents'):\n"
        "    print(len(data[name]), hashlib.sha256(b''.join(each.tobytes() for each in data[name])).hexdigest())\n"
        "data['pedestrians'][0][:] = False  # may be written to\n"
    )
    finished = subprocess.run([old_numpy, "-c", program, tmp_path / "kitti.pickle"], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == [
        *(str(kitti.num_sequences), store.sha256_array(kitti.images)),
        *(str(kitti.num_sequences), store.sha256_array(kitti.factors)),
    ]


VALID = pickle.dumps(release(), protocol=4)


@settings(max_examples=400)
@given(st.data())
def test_damaged_pickles_are_read_or_refused(tmp_path_factory, data):
    """Whatever is changed, the reader answers with a dataset of the right types or with one line."""
    spoilt = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoilt) - 1))
        size = data.draw(st.integers(0, 4))
        spoilt[place : place + size] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"R", b"b", b"0", b"2", b"("])
        )
    path = tmp_path_factory.mktemp("spoilt") / "x.pickle"
    path.write_bytes(bytes(spoilt))
    try:
        found = store.load(path)
    except BadInputError:
        return
    assert found.holds_masks
    assert found.images.dtype == bool
    assert found.factors.dtype == np.float32


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes if opcode.arg is None]
PARTS = [
    *OPCODES, plain(1), plain("a"), plain(b"b"), plain((0,)), plain((3, 8, 8)), ZEROS, BOOLEANS,
    b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n", SCALAR, FROM_BUFFER,
    b"c_codecs\nencode\n", b"q\x00", b"h\x00", OBJECTS, array(),
]  # fmt: skip


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PARTS), max_size=25))
def test_programs_of_its_own_opcodes_do_not_break_the_reader(parts):
    def is_plain(value, depth=0):
        if isinstance(value, dict):
            return depth == 0 and all(isinstance(key, str) and is_plain(each, 1) for key, each in value.items())
        if isinstance(value, list):
            return depth < 3 and all(is_plain(each, depth + 1) for each in value)
        if isinstance(value, np.ndarray | np.generic):
            return value.dtype.kind in "biuf"
        return True

    try:
        found = read(b"\x80\x04" + b"".join(parts) + b".")
    except BadInputError:
        return
    assert is_plain(found)


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "x.pickle")
    with pytest.raises(BadInputError, match="plain file"):
        store.load(tmp_path / "x.pickle")
