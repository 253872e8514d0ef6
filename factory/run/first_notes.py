"""What a run says before anything is paid for: what its user may not have meant, and must know to use its rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from factory.answers.programs.languages import LANGUAGES, SYSTEM_PATH
from factory.config import FactoryConfig
from factory.domains.pack import Pack
from factory.run.steps import Steps
from factory.select.selector import other_domain
from factory.tasks.config import ProgramConfig


def notes_of(config: FactoryConfig, pack: Pack, steps: Steps, at_work: Collection[str]) -> tuple[str, ...]:
    """In the order in which they are told; `at_work` are the ids of the run's models."""
    given = [benchmark.name for benchmark in config.curate.benchmarks]
    found = (
        other_domain(steps.select.filters, pack.name),
        benchmarks_left_out(pack, given),
        models_not_at_work(config, at_work),
    )
    return (*(note for note in found if note is not None), *languages_left_out(config.tasks.program))


def models_not_at_work(config: FactoryConfig, at_work: Collection[str]) -> str | None:
    """What to say of models that governance describes and that no role of the run has: a slip in a name would leave a
    model without its statement. A dry run or a sweep may describe more than it asks, so it is no error."""
    strange = [model.name for model in config.governance.models if model.name not in at_work]
    if not strange:
        return None
    return (
        f"governance.models describes {', '.join(strange)}, which no role of this run asks "
        f"({', '.join(sorted(at_work))}): no document will say it"
    )


def languages_left_out(config: ProgramConfig) -> list[str]:
    """What to say of languages whose programs this machine cannot run."""
    lacking = {name: LANGUAGES[name].missing() for name in config.languages} if config.questions else {}
    return [
        f"tasks.program.languages: {missing} is not installed here ({SYSTEM_PATH}), so programs in {name} stay "
        "unchecked where it is not on the workers either"
        for name, missing in lacking.items()
        if missing is not None
    ]


def benchmarks_left_out(pack: Pack, given: Sequence[str]) -> str | None:
    """What to say of benchmarks that the pack names and `given` does not hold."""
    known = {name.casefold() for name in given}
    left_out = [name for name in pack.benchmarks if name.casefold() not in known]
    if not left_out:
        return None
    return (
        f"the domain pack {pack.name} names benchmarks that this run is not held against (curate.benchmarks): "
        f"{', '.join(left_out)}; their items may be among its rows"
    )
