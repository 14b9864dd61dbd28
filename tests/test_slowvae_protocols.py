"""What a score depends on, as data."""

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import UsageError
from datagen.splits import SPLIT_PROTOCOLS, SPLITS
from slowvae.protocols import CHECKPOINTS, NAMED, VARIANTS, Protocol, make_protocol, training_settings

FIELDS = {
    "dataset": st.sampled_from(["", "a" * 64, "b" * 64]),
    "split": st.sampled_from([name for name in SPLIT_PROTOCOLS if name != "release"]),
    "part": st.sampled_from(SPLITS),
    "split_seed": st.integers(0, 3),
    "trained_on": st.sampled_from(["", "everything"]),
    "max_delta_t": st.sampled_from([None, 1, 5]),
    "prior": st.sampled_from([None, "uniform"]),
    "checkpoint": st.sampled_from(list(CHECKPOINTS)),
    "variant": st.sampled_from(VARIANTS),
    "correlation": st.sampled_from(["spearman", "pearson"]),
    "num_samples": st.sampled_from([1000, 10_000]),
    "seed": st.integers(0, 3),
    "rows": st.sampled_from(["", "01234567"]),
}
PROTOCOLS = st.builds(Protocol, **FIELDS)


def test_every_field_is_drawn_here():
    assert FIELDS.keys() == set(Protocol.__struct_fields__)


@given(PROTOCOLS, PROTOCOLS)
def test_two_protocols_share_an_id_only_if_they_are_equal(one, other):
    assert (one.id == other.id) == (one == other)
    assert len(one.id) == 8


@given(PROTOCOLS)
def test_it_comes_back_from_json_and_is_described_in_one_line(protocol):
    fields = protocol.to_json()
    assert (fields.pop("id"), fields.pop("padding") == "none") == (protocol.id, protocol.variant != "klindt2021")
    assert msgspec.convert(fields, Protocol) == protocol
    assert "\n" not in protocol.describe()


@given(st.data())
def test_whatever_changes_changes_the_id(data):
    protocol = data.draw(PROTOCOLS)
    field = data.draw(st.sampled_from(list(FIELDS)))
    value = data.draw(FIELDS[field].filter(lambda value: value != getattr(protocol, field)))
    assert msgspec.structs.replace(protocol, **{field: value}).id != protocol.id


def test_published_protocols_are_those_of_the_publications():
    assert make_protocol("klindt2021-0.05s") == Protocol(max_delta_t=1)
    assert make_protocol("klindt2021-0.15s") == Protocol(max_delta_t=5)
    leap = make_protocol("leap2022")
    assert (leap.split, leap.part, leap.max_delta_t, leap.checkpoint) == ("random-pairs", "test", 5, "labels")
    assert make_protocol("held-out-object").split == "by-object"
    for name, named in NAMED.items():
        assert named.protocol.name == name
        assert msgspec.structs.replace(named.protocol, dataset="x").name == name
        assert msgspec.structs.replace(named.protocol, seed=1).name is None
    assert NAMED["klindt2021-0.15s"].iterations == 300_000


@pytest.mark.parametrize("name", SPLIT_PROTOCOLS)
def test_a_split_is_scored_on_its_test_part_and_the_release_on_everything(name):
    protocol = make_protocol(name)
    assert (protocol.split, protocol.part) == (name, "train" if name == "release" else "test")
    assert make_protocol(name, part=None) == protocol


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_protocol("by_object"), "unknown protocol 'by_object'; did you mean 'by-object'"),
        (lambda: make_protocol("rectangular"), "a variant of the MCC, not a protocol; pass --variant rectangular"),
        (lambda: make_protocol("release", part="test"), "the release has no test part"),
        (lambda: make_protocol("klindt2021-0.05s", max_delta_t=5), "klindt2021-0.05s has max_delta_t 1, not 5"),
        (lambda: make_protocol("leap2022", checkpoint="last"), "leap2022 has checkpoint 'labels', not 'last'"),
        (lambda: Protocol(variant="best"), "unknown variant 'best'"),
        (lambda: Protocol(split="by-object", part="dev"), "unknown split 'dev'"),
        (lambda: Protocol(checkpoint="first"), "unknown checkpoint 'first'"),
        (lambda: Protocol(correlation="kendall"), "unknown correlation 'kendall'"),
        (lambda: Protocol(seed=-1), "seed=-1"),
        (lambda: Protocol(num_samples=2), "num_samples=2"),
        (lambda: Protocol(max_delta_t=0), "max_delta_t=0"),
        (lambda: training_settings("leap2022", "test"), "trains on train, not on test"),
        (lambda: training_settings(None, "val"), "the protocol release trains on train, not on val"),
        (lambda: training_settings("klindt2021-0.15s", max_delta_t=1), "has max_delta_t 5, not 1"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_what_a_run_is_trained_by():
    assert training_settings(None) == {}
    assert training_settings("release", max_delta_t=3) == {"max_delta_t": 3}
    assert training_settings("leap2022") == {
        "split_protocol": "random-pairs", "split": "train", "split_seed": 0, "max_delta_t": 5,
    }  # fmt: skip
    assert training_settings("held-out-object", max_delta_t=3) == {
        "split_protocol": "by-object", "split": "train", "split_seed": 0,
    }  # fmt: skip
    assert training_settings("by-sequence", "val")["split"] == "val"


def test_the_names_need_no_numpy():
    code = "import sys, slowvae.protocols; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
