"""Searches settings with Optuna: each trial is a run, its objective a figure of `factory compare --json`.

    pip install "corpus-factory[optuna]"
    python examples/optuna_sweep.py --trials 20 --objective work_per_thousand --minimise \\
        --float question.sampling.temperature=0.2:1.0 --float answer.sampling.temperature=0.1:1.0 \\
        --choice question.levels=[1],[1,2] --journal search.journal \\
        -- preset=demo store.root=/data/search publish.name=search

Why plain Optuna and not Hydra's sweeper plugin: decision 0010. Trials ask Optuna for settings and tell it what came out
(ask and tell), so it needs nothing of Hydra. Trials share all steps in which they agree, as points of a sweep do: the
objective should be one that a run does not get for nothing, so what it counts is whoever paid (`requests`,
`work_per_thousand`), not what the trial itself paid (`own_requests`) nor what falls to the first (`waiting_cost`). With
--journal the same command goes on where it stopped, up to --trials in all. A trial whose run fails is told as failed,
and Optuna looks elsewhere.

The last line of stdout is one JSON object: the best trial, its run, settings and value.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def main(arguments: Sequence[str]) -> int:
    args, overrides = _parsed(arguments)
    try:
        import optuna
    except ImportError:
        print("this example needs Optuna: pip install 'corpus-factory[optuna]'", file=sys.stderr)
        return 2
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="factory",
        storage=_storage(args.journal),
        load_if_exists=True,
        direction="minimize" if args.minimise else "maximize",
    )
    # Drawn anew with the same seed, a search that goes on would begin with the settings it has tried already.
    study.sampler = optuna.samplers.TPESampler(seed=args.seed + len(study.trials))
    # Trials that a killed search left open are nobody's any more.
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    while len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < args.trials:
        if len(study.trials) >= FAILURES * args.trials:
            print(f"{len(study.trials)} trials, most of which failed: see what they said", file=sys.stderr)
            return 1
        trial = study.ask()
        given = [f"{key}={_suggested(trial, key, values)}" for key, values in args.settings]
        run = _run([*overrides, *given])
        value = None if run is None else _figure(overrides, run, args.objective)
        print(f"trial {trial.number}: {' '.join(given)} -> {value} (run {run})", file=sys.stderr, flush=True)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            trial.set_user_attr("run", run)
            trial.set_user_attr("settings", given)
            study.tell(trial, value)
    best = study.best_trial
    print(json.dumps({"trial": best.number, "value": best.value, **best.user_attrs}))
    return 0


FAILURES = 3
"""Trials for each that was asked for, after which a search that mostly fails gives up."""


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description="Searches settings with Optuna; behind -- the overrides of all runs.")
    parser.add_argument("--objective", required=True, help="a column of `factory compare --json`")
    parser.add_argument("--minimise", action="store_true", help="less is better")
    parser.add_argument("--trials", type=int, default=20, help="that finish")
    parser.add_argument("--seed", type=int, default=17, help="of Optuna's sampler")
    parser.add_argument("--journal", help="file that keeps the study, to go on with")
    for kind in ("float", "int", "choice"):
        parser.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="KEY=LOW:HIGH" if kind != "choice" else "KEY=A,B",
            help="a setting to search",
        )
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    args, overrides = parser.parse_args(arguments[:end]), list(arguments[end + 1 :])
    args.settings = [
        *((key, (float, *map(float, values.split(":")))) for key, values in _pairs(args.float)),
        *((key, (int, *map(int, values.split(":")))) for key, values in _pairs(args.int)),
        *((key, tuple(_choices(values))) for key, values in _pairs(args.choice)),
    ]
    if not args.settings:
        parser.error("name at least one setting: --float, --int or --choice")
    if not any(item.startswith("store.root=") for item in overrides):
        parser.error("give the overrides of the runs behind --, store.root=… among them")
    return args, overrides


def _pairs(items: Sequence[str]) -> list[tuple[str, str]]:
    return [(item.partition("=")[0], item.partition("=")[2]) for item in items]


def _choices(values: str) -> list[str]:
    """Values between commas; commas in brackets are part of a value."""
    found, depth = [""], 0
    for character in values:
        depth += (character in "[{") - (character in "]}")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return found


def _suggested(trial: Any, key: str, values: tuple[Any, ...]) -> Any:
    if values[0] is float:
        # Rounded: a run's identity is its settings, and nobody wants 0.4370861069626263 in a command.
        return round(trial.suggest_float(key, values[1], values[2], step=FLOAT_STEP), FLOAT_DIGITS)
    if values[0] is int:
        return trial.suggest_int(key, values[1], values[2])
    return trial.suggest_categorical(key, list(values))


FLOAT_STEP, FLOAT_DIGITS = 0.05, 4
"""Multiples of 0.05 are none in binary: 0.85 would be 0.8500000000000001."""


def _storage(journal: str | None) -> Any:
    if journal is None:
        return None
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(journal))


def _run(overrides: Sequence[str]) -> str | None:
    """The id of the run, worked to its end; None where it failed, which has been said."""
    done = subprocess.run([sys.executable, "-m", "jobs.run", *overrides], stdout=subprocess.PIPE, text=True)
    return str(json.loads(done.stdout.splitlines()[-1])["run"]) if done.returncode == 0 else None


def _figure(overrides: Sequence[str], run: str, objective: str) -> float | None:
    """The figure `objective` of a run, as `factory compare` has it; None where it has none."""
    root = next(item.partition("=")[2] for item in overrides if item.startswith("store.root="))
    endpoint = [item.partition("=")[2] for item in overrides if item.startswith("store.endpoint_url=")]
    options = ["--endpoint-url", endpoint[0]] if endpoint else []
    command = [sys.executable, "-m", "factory.cli.main", "compare", root, "--run", run, "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    values = json.loads(done.stdout)["runs"][0]["values"]
    if objective not in values:
        raise SystemExit(f"{objective} is no figure of run {run}; it has: {', '.join(values)}")
    value = values[objective]
    return None if value is None else float(value)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
