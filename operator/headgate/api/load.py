"""Reads ModelDeployments from YAML text: documents, positions, and every problem with the line that it stands on.

Called by the CLI with a file's text. It never opens a file. A document of another kind (a Secret, a ConfigMap) is left
alone, as ``kubectl apply`` of the same file would want it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from headgate.api.names import did_you_mean, listing
from headgate.api.problems import Path, Problem
from headgate.api.resources import API_VERSION, GROUP, KIND, ModelDeployment
from headgate.api.validation import examine
from headgate.errors import InvalidResource

_Lines = Mapping[Path, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Document:
    """One ModelDeployment of a file, not yet validated."""

    raw: Mapping[str, Any]
    """What the YAML says; values that look like dates stay text, as they do for Kubernetes."""
    line: int
    """The first line in the file, from 1."""
    lines: _Lines = field(repr=False)
    """Per path the line of its value, and whether that value is a ``|`` block."""

    @property
    def name(self) -> str:
        """The object's name, or an empty text."""
        metadata = self.raw.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) else ""

    def describe(self, problem: Problem) -> str:
        """``line 12: spec.pipeline.key: the message``; the nearest line above when the field itself is missing."""
        return f"line {self.line_of(problem)}: {problem}"

    def line_of(self, problem: Problem) -> int:
        """The line in the file that a problem is about, from 1."""
        path = problem.path
        while path not in self.lines:
            path = path[:-1]
        line, block = self.lines[path]
        return line + problem.line if problem.line is not None and block and path == problem.path else line


def load_modeldeployments(text: str, *, source: str = "") -> tuple[ModelDeployment, ...]:
    """Every ModelDeployment of a YAML text.

    Raises:
        InvalidResource: the text is no YAML, holds no ModelDeployment, or one of them has problems: all of them, of all
            documents, each with its line. ``source`` (a file's name) begins the message.
    """
    deployments: list[ModelDeployment] = []
    problems: list[str] = []
    for document in read_documents(text, source=source):
        findings = examine(document.raw)
        problems += map(document.describe, sorted(findings.problems, key=document.line_of))
        if findings.deployment is not None:
            deployments.append(findings.deployment)
    if problems:
        raise InvalidResource(tuple(problems), name=source)
    return tuple(deployments)


def read_documents(text: str, *, source: str = "") -> tuple[Document, ...]:
    """The ModelDeployments of a YAML text, unvalidated, at least one.

    Raises:
        InvalidResource: see :func:`load_modeldeployments`; problems inside a ModelDeployment are not looked for.
    """
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_Loader) if not _empty(node)]
        found = [(node, _Loader.construct(node)) for node in nodes]
    except yaml.MarkedYAMLError as error:
        raise InvalidResource((_syntax(error),), name=source) from error
    except yaml.reader.ReaderError as error:
        message = f"the character U+{int(error.character):04X} cannot stand in YAML"
        raise InvalidResource((message,), name=source) from error
    documents: list[Document] = []
    others: list[str] = []
    problems: list[str] = []
    for node, raw in found:
        line = node.start_mark.line + 1
        problem, other = _kind_problem(raw)
        if problem:
            problems.append(f"line {line}: {problem}")
        elif other:
            others.append(other)
        else:
            lines: dict[Path, tuple[int, bool]] = {}
            _collect(node, (), lines)
            documents.append(Document(raw, line, lines))
    if not documents and not problems:
        found_kinds = f"; found {listing(sorted(set(others)))}" if others else ": the text is empty"
        problems.append(f"there is no {KIND} here{found_kinds}")
    if problems:
        raise InvalidResource(tuple(problems), name=source)
    return tuple(documents)


def _kind_problem(raw: object) -> tuple[str, str]:
    """Why a document is a broken ModelDeployment, or (if it is something else) its kind; both empty for a good one."""
    if not isinstance(raw, dict):
        return f"a document must be an object with apiVersion, kind, metadata and spec, not {_noun(raw)}", ""
    version, kind = raw.get("apiVersion"), raw.get("kind")
    ours = isinstance(version, str) and version.split("/")[0] == GROUP
    if kind is None:
        return f"kind is missing; write kind: {KIND}", ""
    if kind == KIND:
        if version is None:
            return f"apiVersion is missing; write apiVersion: {API_VERSION}", ""
        return ("", "") if version == API_VERSION else (f'apiVersion: must be {API_VERSION}, not "{version}"', "")
    if ours or did_you_mean(str(kind), [KIND]):
        return f'kind: must be {KIND}, not "{kind}"', ""
    return "", str(kind)


def _noun(raw: object) -> str:
    return "a list" if isinstance(raw, list) else "a single value"


def _empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def _collect(node: yaml.Node, path: Path, lines: dict[Path, tuple[int, bool]]) -> None:
    """The 1-based line of every value; of an object or list inside another, the line of its name."""
    lines.setdefault(path, (node.start_mark.line + 1, getattr(node, "style", None) == "|"))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            lines[inner] = (key.start_mark.line + 1, getattr(value, "style", None) == "|")
            _collect(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _collect(value, (*path, position), lines)


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: no dates, no name twice in one object."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a class-level table of PyYAML's own, copied rather than changed
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    @classmethod
    def construct(cls, node: yaml.Node) -> Any:
        """The plain value of a composed document."""
        loader = cls("")
        try:
            return loader.construct_document(node)
        finally:
            loader.dispose()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a name that stands twice, of which YAML would silently keep the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f'"{name}" stands here twice', key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


_SENTENCES = (
    ("\\t", "a tab stands here; YAML is indented by spaces"),
    ("mapping values are not allowed", "a colon is not expected here; quote the text, or indent as the line above"),
    ("could not find expected ':'", "a name without a colon after it, or a line that is indented less than its text"),
    ("but found '<block mapping start>'", "this line is indented unlike the lines beside it"),
    ("but found '<block sequence start>'", "this line is indented unlike the lines beside it"),
    ("unexpected end of stream", "a quote that opens here never closes"),
    ("undefined alias", "an alias (*name) without its anchor (&name)"),
    ("could not determine a constructor", "a tag (!name) that means nothing here"),
    ("unhashable key", "a name must be a text"),
    ("cannot start any token", "this character cannot begin a value; put the text in quotes"),
)


def _syntax(error: yaml.MarkedYAMLError) -> str:
    told = error.problem or error.context or "this is not YAML"
    sentence = next((sentence for part, sentence in _SENTENCES if part in told), told)
    mark = error.context_mark if "end of stream" in told and error.context_mark else error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {sentence}" if mark else sentence
