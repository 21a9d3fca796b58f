"""What the graph of a training step communicates, read from the graph that `fit` runs."""

from typing import NamedTuple


class Collective(NamedTuple):
    """An operation that all replicas take part in.

    Attributes:
        kind: "reduce" or "gather".
        size: Bytes of one replica's part; `None` if the graph does not know.
    """

    kind: str
    size: int | None


KINDS = {"CollectiveReduceV2": "reduce", "CollectiveGatherV2": "gather"}
KINDS |= {"CollectiveReduce": "reduce", "CollectiveGather": "gather"}


def operations(graph):
    """Yields a graph's operations, those of the functions that it calls included."""
    for operation in graph.get_operations():
        yield operation
        for value in operation.node_def.attr.values():
            for name in [value.func.name, *(each.name for each in value.list.func)]:
                if name:
                    yield from operations(graph._get_function(name).graph)


def collectives(graph, replicas=1):
    """Returns what each of this process's replicas takes part in."""
    found = []
    for operation in operations(graph):
        if operation.type in KINDS:
            (values, *_) = operation.inputs
            count = values.shape.num_elements()
            size = None if count is None else count * values.dtype.size
            found.append(Collective(KINDS[operation.type], size))
        assert operation.type in KINDS or "ollective" not in operation.type, operation.type
    assert len(found) % replicas == 0
    # Replicas' operations stand one after the other, or in turn; all have the same.
    return sorted(found, key=lambda each: (each.kind, each.size or -1))[::replicas]


def of_training(gan):
    """Returns what a step of a model takes part in, in each replica of this process."""
    (call,) = gan.execution.functions.one._list_all_concrete_functions()
    return collectives(call.graph, len(gan.distribute_strategy.extended.worker_devices))


def in_order(graph):
    """Yields "compiled" for each call of what XLA compiles, and the kind of each collective."""
    for operation in operations(graph):
        if operation.node_def.attr["_XlaMustCompile"].b:
            yield "compiled"
        elif operation.type in KINDS:
            yield KINDS[operation.type]
