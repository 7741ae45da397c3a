"""The stream itself: ids that arrive, a sink that shows each exactly once or says who broke that, and snapshots in storage."""

from __future__ import annotations

from dataclasses import dataclass, field


class ImpossibleWorld(AssertionError):
    """Something happened that Headgate promises never happens, or that Kubernetes and Flink would not do."""


@dataclass(frozen=True)
class Shown:
    """Ids ``first`` to ``last`` (exclusive) became visible in the sink."""

    first: int
    last: int
    revision: str
    run: str


@dataclass
class Stream:
    """Ids 0, 1, 2, … arrive at ``rate`` a second; ``end``: how many there are in a bounded stream."""

    rate: int = 3
    end: int | None = None
    head: int = 0
    shown: list[Shown] = field(default_factory=list)
    forgiven: bool = False
    """A story in which Headgate is told to start somewhere else may show ids again."""

    def advance(self, seconds: int) -> None:
        """Records arrive."""
        self.head += self.rate * seconds
        if self.end is not None:
            self.head = min(self.head, self.end)

    @property
    def next(self) -> int:
        """The first id that was not shown yet."""
        return self.shown[-1].last if self.shown else 0

    def show(self, first: int, last: int, revision: str, run: str) -> None:
        """A transaction of the exactly-once sink is committed."""
        if first != self.next and not self.forgiven:
            what = "twice" if first < self.next else "never"
            raise ImpossibleWorld(
                f"{run} ({revision}) shows {first}..{last}, the sink stands at {self.next}: ids are shown {what}"
            )
        if last > first:
            self.shown.append(Shown(first, last, revision, run))

    def revisions(self) -> list[str]:
        """Who showed results, in order, each once per turn."""
        turns: list[str] = []
        for one in self.shown:
            if not turns or turns[-1] != one.revision:
                turns.append(one.revision)
        return turns


@dataclass(frozen=True)
class Snapshot:
    """A complete savepoint or checkpoint: how far the stream was, and the operators whose state it holds."""

    path: str
    position: int
    operators: tuple[tuple[str, str], ...]
    order: int


@dataclass
class Storage:
    """The object store."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def write(self, path: str, position: int, operators: tuple[tuple[str, str], ...]) -> Snapshot:
        """A snapshot is complete; paths are never used twice."""
        if path in self.snapshots:
            raise ImpossibleWorld(f"{path} is there already: two runs share a folder")
        self.snapshots[path] = Snapshot(path, position, operators, len(self.snapshots))
        return self.snapshots[path]

    def find(self, place: str) -> Snapshot | str | None:
        """What main() finds at a place: a snapshot, "nothing" (start from nothing), or None where no alternative holds one."""
        for one in place.split("\n"):
            if not one:
                return "nothing"
            if one.endswith("/"):
                below = [s for s in self.snapshots.values() if s.path.startswith(one)]
                if below:
                    return max(below, key=lambda s: s.order)
            elif one in self.snapshots:
                return self.snapshots[one]
        return None
