"""A card, step by step: is it right, and how fast? `benchmarks/gpu.sh` runs it; the steps are in `benchmarks.gpu_steps`.

Each step is a process with a time limit, the most valuable first. A step that fails or runs out of time is named, and the next
one runs. Results are `OUT/STEP.jsonl`, all of them as text in `OUT/report.txt`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

LIMITS_S = {
    "environment": 60,
    "operators": 90,
    "pictures": 120,
    "speed": 240,
    "copies": 30,
    "render": 90,
    "live": 60,
    "layers": 90,
    "profile": 60,
    "blocks": 240,
    "window": 30,
    "tests": 240,
}
"""Seconds per step at most, in the order of the run."""
WRONG = 3
"""Exit status of a step that found a wrong picture."""
LEAST_S = 5.0  # a step is not begun with less time than this

app = typer.Typer(add_completion=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(help="Time limit for the whole run.")] = 1200.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; $OUT by default, else gpu-results.")] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Small networks on the CPU, to try the run itself.")
    ] = False,
    steps: Annotated[str, typer.Option(help="Comma-separated steps to run; all by default.")] = ",".join(LIMITS_S),
) -> None:
    """Run the steps; the exit status is 1 only if a picture is wrong."""
    folder = out or Path(os.environ.get("OUT", "gpu-results"))
    folder.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + seconds
    outcomes: dict[str, str] = {}
    for step in steps.split(","):
        if step not in LIMITS_S:
            raise typer.BadParameter(f"no step {step!r}; there are: {', '.join(LIMITS_S)}")
        left = ends - time.monotonic()
        outcomes[step] = (
            run_step(step, folder, min(left, LIMITS_S[step]), rehearse) if left > LEAST_S else "no time left"
        )
        print(f"{step}: {outcomes[step]}", flush=True)
        report = text_report(folder, outcomes)
        (folder / "report.txt").write_text(report, "utf-8")
    print("\n" + text_report(folder, outcomes))
    raise typer.Exit(1 if "WRONG" in " ".join(outcomes.values()) else 0)


def run_step(step: str, folder: Path, limit_s: float, rehearse: bool) -> str:
    """Run a step in a process of its own and report the outcome."""
    file, log = folder / f"{step}.jsonl", folder / f"{step}.log"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"{__package__}.gpu_steps", step, str(file), "cpu" if rehearse else "cuda"]
    began = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            return f"stopped after {limit_s:.0f} s; what it had measured is kept"
    took = f"{time.monotonic() - began:.0f} s"
    if status == 0:
        return f"done in {took}"
    if status == WRONG:
        return f"WRONG PICTURE ({took}); see {log}"
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return f"failed ({took}): {lines[-1][:300] if lines else f'status {status}'}"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a step and the processes that it started."""
    if os.name == "posix":
        os.killpg(process.pid, 9)
    else:
        process.kill()
    process.wait()


def text_report(folder: Path, outcomes: dict[str, str]) -> str:
    """All results as text, one row per line of the step's file."""
    lines = []
    for step, outcome in outcomes.items():
        lines.append(f"== {step}: {outcome}")
        file = folder / f"{step}.jsonl"
        if file.exists():
            lines += [_row(json.loads(line)) for line in file.read_text("utf-8").splitlines() if line.endswith("}")]
    return "\n".join(lines) + "\n"


def _row(result: dict[str, Any]) -> str:
    return "   " + "  ".join(f"{name} {_number(value)}" for name, value in result.items())


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    app()
