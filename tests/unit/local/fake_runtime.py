"""A stand-in for ``python -m headgate_runtime``: it speaks the protocol, and a world that cannot be it refuses to play.

Usage: fake_runtime.py SCENARIO. The speaker checks itself: stages in their order, counts that never shrink, one summary
and nothing after it; breaking a rule is a crash of the script, not a strange event.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

STAGES = ("verify", "load", "smoke", "plan", "ready", "wait", "execute")


class Speaker:
    def __init__(self):
        self.stage = -1
        self.counts = (0, 0, 0)
        self.over = False

    def say(self, **event):
        if self.over:
            raise AssertionError("an event after the end")
        print(json.dumps(event), flush=True)

    def begin(self, stage):
        position = STAGES.index(stage)
        if position <= self.stage:
            raise AssertionError(f"{stage} after {STAGES[self.stage]}")
        self.stage = position
        self.say(event="stage", stage=stage, status="started", seconds=None, message="")

    def done(self, stage, message=""):
        if STAGES[self.stage] != stage:
            raise AssertionError(f"{stage} was never started")
        self.say(event="stage", stage=stage, status="done", seconds=0.5, message=message)

    def _counted(self, scored, dead):
        if self.stage != STAGES.index("execute"):
            raise AssertionError("records before the job executes")
        counts = (scored + sum(dead.values()), scored, sum(dead.values()))
        if any(now < before for now, before in zip(counts, self.counts, strict=True)):
            raise AssertionError("counts shrink")
        self.counts = counts
        return {"in": counts[0], "scored": scored, "deadLetters": dead, "seconds": 2.0}

    def progress(self, scored, dead):
        self.say(event="progress", **self._counted(scored, dead))

    def summary(self, scored, dead, state, savepoint=None):
        rows = [{"id": 1, "probability": 0.25, "label": None}, {"id": 2, "probability": 0.75, "label": "yes"}]
        self.say(event="summary", firstRows=rows, savepoint=savepoint, state=state, **self._counted(scored, dead))
        self.over = True

    def error(self, stage, reason, message):
        self.say(event="error", stage=stage, reason=reason, message=message)
        self.over = True


def start(speaker):
    for stage in STAGES[:-1]:
        speaker.begin(stage)
        speaker.done(stage, "one model" if stage == "load" else "")
    speaker.begin("execute")


def finish(speaker):
    start(speaker)
    speaker.progress(5, {"NullFeature": 1})
    speaker.progress(8, {"NullFeature": 2, "WrongShape": 1})
    speaker.done("execute")
    speaker.summary(8, {"NullFeature": 2, "WrongShape": 1}, "FINISHED")


def wait_for_interrupt(_speaker=None):
    signal.sigwait({signal.SIGINT})


def stop(speaker):
    start(speaker)
    speaker.progress(3, {})
    wait_for_interrupt()
    speaker.summary(4, {}, "FINISHED", savepoint="/somewhere/savepoint-1")


def cancel(speaker):
    start(speaker)
    speaker.progress(3, {})
    wait_for_interrupt()
    speaker.progress(4, {})
    wait_for_interrupt()
    speaker.summary(4, {}, "CANCELED")


def hang(speaker):
    start(speaker)
    speaker.progress(3, {})
    while True:
        wait_for_interrupt()


def refuse(speaker):
    speaker.begin("verify")
    speaker.done("verify")
    speaker.begin("load")
    speaker.say(event="stage", stage="load", status="failed", seconds=0.1, message="")
    speaker.error("load", "ModelRefused", "The model needs opset 30.")
    sys.exit(1)


def crash(speaker):
    speaker.begin("verify")
    print("the last thing it said", file=sys.stderr)
    sys.exit(7)


def vanish(speaker):
    speaker.begin("verify")
    os.kill(os.getpid(), signal.SIGKILL)


def chatter(speaker):
    print("a stray print")
    print("[1, 2]")
    print('{"event": "of a newer runtime"}')
    finish(speaker)
    sys.stdout.write("no newline at the end")


def leave_children(speaker):
    # Both hold stdout, as a JVM does; one refuses to go when asked.
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(600)"
    )
    for program in ("import time; print('{}', flush=True); time.sleep(600)", deaf):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        child.stdout.readline()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(
        json.dumps({"event": "progress", "in": os.getpgid(0), "scored": 0, "deadLetters": {}, "seconds": 0}), flush=True
    )


def explain(speaker):
    speaker.say(event="plan", text="== Plan ==\nSource -> Model", operators=[{"id": "cbc3", "name": "Source"}])


def environment(speaker):
    print(
        json.dumps({name: os.environ.get(name) for name in ("JAVA_HOME", "PYTHONPATH", "FLINK_HOME")}), file=sys.stderr
    )
    print(f"cwd {Path.cwd()}", file=sys.stderr)
    print("argv " + json.dumps(sys.argv[1:]), file=sys.stderr)
    finish(speaker)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    globals()[sys.argv[1]](Speaker())
