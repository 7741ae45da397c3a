"""The plan's operators with the ids that a savepoint is matched by."""

from __future__ import annotations

from dataclasses import dataclass

from pyflink.datastream import StreamExecutionEnvironment


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its id (32 hex digits), as savepoints name it, its name, and the name of the task that holds it."""

    id: str
    name: str
    task: str


def operators_of(env: StreamExecutionEnvironment) -> tuple[Operator, ...]:
    """The operators of what is attached to ``env``, in the order of the records; nothing is consumed or run."""
    graph = env._j_stream_execution_environment.getStreamGraph(False).getJobGraph()
    found = []
    for vertex in graph.getVerticesSortedTopologicallyFromSources():
        # Flink lists a chain from its end.
        for pair in reversed(list(vertex.getOperatorIDs())):
            user = pair.getUserDefinedOperatorID()
            chosen = user.get() if user.isPresent() else pair.getGeneratedOperatorID()
            task = str(vertex.getName())
            found.append(Operator(str(chosen.toHexString()), str(pair.getUserDefinedOperatorName() or task), task))
    return tuple(found)
