"""Whether a SavedModel only computes: it is a program, and one from elsewhere may do anything."""

from __future__ import annotations

import os
import re
from pathlib import Path

from npr_keras.errors import CheckpointError
from npr_keras.limits import MOST_GRAPH

TRUST = "NPR_TRUST"  # the environment variable behind --trust
# Of TensorFlow's operations without state some still look at files or run Python.
_REACHES_OUT = re.compile(
    r"File|Py|Debug|Vocab|Snapshot|CacheDataset|DataService|DecodeProto|Save|Restore|Checkpoint|Host|"
    r"Socket|Rpc|Record|Sql"
)
# With state, and nothing else: variables, calls, branches, assertions, tables and data in memory.
_STATES = frozenset([
    "Assert", "DatasetToSingleElement", "ReduceDataset", "If", "While", "StatefulPartitionedCall",
    "TensorDataset", "TensorSliceDataset", "RangeDataset", "VarHandleOp", "ReadVariableOp",
    "AssignVariableOp", "VarIsInitializedOp", "HashTableV2", "LookupTableFindV2", "LookupTableSizeV2",
])  # fmt: skip
_SAVER = re.compile(r"__inference__traced_(save|restore)_\d+")


def require_harmless(folder: str | os.PathLike) -> None:
    """Refuses a SavedModel with operations that do more than compute.

    Allowed are TensorFlow's operations without state that touch neither files nor Python, and a short
    list of those with state. What saves and restores variables is not looked at where no
    signature calls it: TensorFlow puts it into every SavedModel, and nobody runs it.

    Args:
        folder: Of a version, with `saved_model.pb` in it.

    Raises:
        CheckpointError: With the operations' names; unless NPR_TRUST is set.
    """
    if os.environ.get(TRUST):
        return
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    path = Path(folder, "saved_model.pb")
    if path.stat().st_size > MOST_GRAPH:
        raise CheckpointError(f"{path} has more than the {MOST_GRAPH:,} bytes of a graph.")
    found = saved_model_pb2.SavedModel()
    try:
        found.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's own, which differ by its versions
        raise CheckpointError(f"Cannot read the model {folder}: {error}") from error
    used = set().union(*map(_operations, found.meta_graphs))
    odd = sorted(name for name in used if not _is_harmless(name, op_def_registry.get(name)))
    if odd:
        raise CheckpointError(
            f"{folder} does more than compute: it holds {', '.join(odd[:8])}. A SavedModel is a program, "
            "and this one could read and write files or run code. If you know where it comes from, "
            f"give --trust, or set {TRUST}=1."
        )


def _operations(graph) -> set[str]:
    """The names of all operations that a signature or an initializer can reach."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    called = set(graph.object_graph_def.concrete_functions)
    waiting = [name for name in functions if not _SAVER.fullmatch(name) or name in called]
    used = {node.op for node in graph.graph_def.node}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            used.add(node.op)
            for value in node.attr.values():
                waiting += [value.func.name] if value.func.name else []
                waiting += [one.name for one in value.list.func]
    return used - set(functions)


def _is_harmless(name: str, definition) -> bool:
    if definition is None or _REACHES_OUT.search(name):
        return False
    return name in _STATES or not definition.is_stateful
