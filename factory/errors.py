"""The errors a user can meet.

FactoryError
├── ConfigError          the configuration cannot work; nothing was started
├── CorpusError          source files are missing, unreadable or lack a column
├── StoreError           the object store answered with something final
│   └── TransientStoreError   the same call may go through later; retried before it surfaces
├── EngineError          a model could not be started, or died more often than allowed
├── ClusterError         a Ray cluster cannot be reached or joined, refuses a job, or ended under a run
├── ConservationError    rows in and rows out do not add up; the run stops rather than lose rows
└── GateError            a quality gate failed; no dataset was published

Every message says what happened, the likely cause, and what to do.
"""


class FactoryError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the command line returns for it."""

    exit_code = 1

    def __init__(self, what: str, *, cause: str = "", remedy: str = "") -> None:
        self.what, self.cause, self.remedy = what, cause, remedy
        lines = [what]
        if cause:
            lines.append(f"  likely cause: {cause}")
        if remedy:
            lines.append(f"  what to do:   {remedy}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.cause, self.remedy))


def _rebuild(kind: type[FactoryError], what: str, cause: str, remedy: str) -> FactoryError:
    return kind(what, cause=cause, remedy=remedy)


class ConfigError(FactoryError):
    exit_code = 2


class CorpusError(FactoryError):
    exit_code = 3


class StoreError(FactoryError):
    exit_code = 4


class TransientStoreError(StoreError):
    pass


class EngineError(FactoryError):
    exit_code = 5


class ClusterError(FactoryError):
    exit_code = 8


class ConservationError(FactoryError):
    exit_code = 6


class GateError(FactoryError):
    exit_code = 7
