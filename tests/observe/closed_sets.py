"""Labels whose values are a closed set: what dashboards may ask for, and all that a run may export."""

from __future__ import annotations

from factory.observe import catalogue
from factory.observe.phases import PHASES

VALUES = {
    ("factory_rows_total", "kind"): catalogue.ROW_KINDS,
    ("factory_committed_rows", "kind"): catalogue.ROW_KINDS,
    ("factory_tokens_total", "kind"): catalogue.TOKEN_KINDS,
    ("factory_committed_tokens", "kind"): catalogue.TOKEN_KINDS,
    ("factory_attempts_total", "outcome"): catalogue.OUTCOMES,
    ("factory_run_state", "state"): catalogue.STATES,
    ("factory_retries_total", "kind"): catalogue.RETRIES,
    ("factory_engine_starts_total", "kind"): catalogue.STARTS,
    ("factory_phase_seconds_total", "phase"): PHASES,
    ("factory_engine_seconds_total", "kind"): ("busy", "idle"),
    ("factory_units", "state"): ("planned", "committed", "reused"),
    ("factory_engine_replicas", "state"): ("configured", "answering"),
}
