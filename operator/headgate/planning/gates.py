"""What the gates found of a candidate, told from the stages that its ``main()`` went through. Pure.

The checks themselves are the runtime's, in the built image, before any live record: *loads* (contract, digests, onnxruntime),
*smoke*, *signature* (the plan: columns against inputs, outputs against what the pipeline reads) and *goldens*. Here is only
which of them passed and which did not, and how the signature differs from that of the version that serves.
"""

from __future__ import annotations

from headgate.api.revision import Gate, GateResult, ModelRevision, Outcome
from headgate.planning.observation import RuntimeReport, Signature

_GATE_OF = {
    "contract": Gate.LOADS,
    "verify": Gate.LOADS,
    "load": Gate.LOADS,
    "smoke": Gate.SMOKE,
    "plan": Gate.SIGNATURE,
    "goldens": Gate.GOLDENS,
}
_STAGES = tuple(_GATE_OF)
_AFTER_ALL = {"ready", "warm-up"}

FAILED_IN_THE_IMAGE = frozenset(_STAGES)
"""Stages whose failure says that what is in the image is no good."""


def check_gates(
    revision: ModelRevision, report: RuntimeReport, serving: Signature | None, now: str
) -> tuple[GateResult, ...]:
    """The gates that ended so far, in their order; what was said before keeps its time."""
    has_goldens = revision.spec.template.model.goldens is not None
    gates = [gate for gate in dict.fromkeys(_GATE_OF.values()) if gate is not Gate.GOLDENS or has_goldens]
    before = {one.gate: one for one in revision.status.gates}
    results = []
    for gate in gates:
        outcome = _outcome(gate, report)
        if outcome is None:
            if gate in before:
                results.append(before[gate])
            continue
        message = report.message if outcome is Outcome.FAILED else ""
        if gate is Gate.SIGNATURE and not message:
            message = against_serving(report.signature, serving)
        result = GateResult(gate=gate, outcome=outcome, message=message, time=now)
        old = before.get(gate)
        results.append(old if old is not None and old.outcome is outcome else result)
    return tuple(results)


def _outcome(gate: Gate, report: RuntimeReport) -> Outcome | None:
    """How a gate ended; None where its last stage has not."""
    if report.reason and _GATE_OF.get(report.stage) is gate:
        return Outcome.FAILED
    if report.ready or report.stage in _AFTER_ALL:
        return Outcome.PASSED
    last = max(at for at, stage in enumerate(_STAGES) if _GATE_OF[stage] is gate)
    if report.stage not in _STAGES:
        return None
    at = _STAGES.index(report.stage)
    return Outcome.PASSED if at > last or (at == last and report.done and not report.reason) else None


def against_serving(candidate: Signature | None, serving: Signature | None) -> str:
    """How the candidate's signature differs from that of what serves, as a sentence; empty where it does not, or nobody knows."""
    if candidate is None or serving is None:
        return ""
    said = [*_differences("input", candidate.inputs, serving.inputs)]
    said += _differences("output", candidate.outputs, serving.outputs)
    return f"Against the version that serves: {'; '.join(said)}." if said else ""


def _differences(kind: str, now: tuple[tuple[str, str], ...], before: tuple[tuple[str, str], ...]) -> list[str]:
    new, old = dict(now), dict(before)
    gone = [f"{kind} {name} ({old[name]}) is gone" for name in old if name not in new]
    come = [f"{kind} {name} ({new[name]}) is new" for name in new if name not in old]
    changed = [
        f"{kind} {name} was {old[name]} and is {new[name]}" for name in old if name in new and old[name] != new[name]
    ]
    return [*gone, *come, *changed]
