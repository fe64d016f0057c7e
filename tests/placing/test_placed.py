"""Pieces, transfers and blocking ops of files whose ops are shared out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.graphs.graph import Graph, Node, Tensor
from edgekit.graphs.reading import read_graph
from edgekit.job import Job
from edgekit.passes import parse, unavailable
from edgekit.placing.placed import put_together
from edgekit.transports.local import LocalTransport


def document(taken, *, names=None):
    return parse(
        "placement",
        {
            "wanted": "GPU",
            "ops": [
                {
                    "name": names[number] if names else "",
                    "place": None if names else number,
                    "kind": "OP" if own else "LEFT",
                    "executor": "GPU" if own else "CPU",
                    "taken": own,
                }
                for number, own in enumerate(taken)
            ],
            "reasons": {"B": "too wide"},
            "evidence": "a test",
        },
    )


def chain(count, kinds=None):
    """Each node reads the one before it and a weight of its own."""
    tensors = {f"t{number}": Tensor("int8", (1, 10 * (number + 1))) for number in range(count + 1)}
    tensors |= {f"w{number}": Tensor("int8", (7,), constant=True) for number in range(count)}
    nodes = tuple(
        Node(kinds[at] if kinds else "OP", (f"t{at}", f"w{at}"), (f"t{at + 1}",), name=f"n{at}")
        for at in range(count)
    )
    return Graph(tensors, nodes, (f"t{count}",))


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_in_a_chain_every_change_of_executor_is_one_transfer(taken):
    found = put_together(document(taken), chain(len(taken)))
    changes = [at for at in range(1, len(taken)) if taken[at] != taken[at - 1]]
    assert [one.tensor for one in found.transfers] == [f"t{at}" for at in changes]
    assert [one.to_wanted for one in found.transfers] == [taken[at] for at in changes]
    assert sum(one.bytes for one in found.transfers) == sum(10 * (at + 1) for at in changes)
    assert (found.ops, found.taken) == (len(taken), sum(taken))
    assert found.pieces == sum(
        own and not before for before, own in zip([False, *taken], taken, strict=False)
    )
    assert sum(len(one.ops) for one in found.blockers) == taken.count(False)
    assert bool(found.blockers) == (found.taken < found.ops)


def test_a_blocking_op_is_told_with_its_kind_reason_and_transfers():
    graph = chain(3, ["A", "B", "C"])
    found = put_together(document([True, False, True]), graph)
    (blocker,) = found.blockers
    assert (blocker.kind, blocker.executor, blocker.cause.why) == ("B", "CPU", "too wide")
    assert blocker.takes == "int8[1, 20] → int8[1, 30]"
    assert (blocker.transfers, blocker.bytes) == (2, 50)
    assert found.first == ""


def test_a_tensor_that_two_ops_read_elsewhere_is_one_transfer():
    tensors = {name: Tensor("float32", (4,)) for name in "abcd"}
    nodes = (Node("OP", ("a",), ("b",)), Node("OP", ("b",), ("c",)), Node("OP", ("b",), ("d",)))
    found = put_together(document([True, False, False]), Graph(tensors, nodes, ("c", "d")))
    assert [(one.tensor, one.bytes) for one in found.transfers] == [("b", 16)]


def test_what_is_computed_from_constants_alone_is_no_transfer():
    tensors = {
        "w": Tensor("int8", (9,), constant=True),
        "v": Tensor("float32", (9,)),
        "x": Tensor("float32", (9,)),
        "y": Tensor("float32", (9,)),
    }
    nodes = (Node("DQ", ("w",), ("v",), name="n0"), Node("OP", ("x", "v"), ("y",), name="n1"))
    found = put_together(document([True, False], names=["n0", "n1"]), Graph(tensors, nodes, ("y",)))
    assert found.transfers == ()


def test_what_a_runtime_fused_away_is_where_it_was_wanted_if_all_that_is_left_out_is_known():
    found = put_together(document([True, False], names=["n0", "n2"]), chain(4))
    assert [(one.tensor, one.to_wanted) for one in found.transfers] == [("t2", False), ("t3", True)]


def test_it_counts_as_its_neighbour_where_some_of_what_is_left_out_is_not_in_the_file():
    ops = document([True, False, False], names=["n0", "n2", "a fused op"])
    found = put_together(ops, chain(4))
    # n1 goes with n0, n3 with n2.
    assert [one.tensor for one in found.transfers] == ["t2"]
    assert found.elsewhere == 1


def test_transfers_are_not_known_where_no_op_is_found_again():
    found = put_together(document([True, False], names=["x", "y"]), chain(2))
    assert found.transfers is None
    assert found.blockers[0].transfers is None
    assert found.to_json()["transfers"] is None


def test_a_device_that_does_not_say_is_an_error_with_its_reason():
    with pytest.raises(DeviceError, match=r"nothing says .* runs where: it is silent"):
        put_together(unavailable("it is silent"), chain(1))


def test_the_islands_around_an_op_that_xnnpack_refuses_are_pieces(tiny_models):
    file = tiny_models / "islands.tflite"
    job = Job(action="placement", runtime="litert", model=str(file))
    result = LocalTransport().run(job)
    found = put_together(result.documents["placement"], read_graph(file, "tflite"))
    assert (found.wanted, found.pieces) == ("XNNPACK", 2)
    (blocker,) = found.blockers
    assert (blocker.kind, blocker.transfers) == ("CUMSUM", 2)
    assert [one.to_wanted for one in found.transfers] == [False, True]
    assert {one.bytes for one in found.transfers} == {4 * 8 * 8 * 3}
