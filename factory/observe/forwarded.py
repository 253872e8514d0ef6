"""vLLM's own metrics: taken out of an engine's process as text, and put into the run's endpoint.

Design: an engine inside a Ray actor has no port of its own, so the driver asks for what its registry holds (engines.py)
and forwards a closed list: of a histogram every bucket is a series of every replica. The labels are vLLM's, and `run`,
`model` and `replica` before them. Engines of `kind: openai` are somebody else's servers: Prometheus scrapes their own
/metrics.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

FORWARDED = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prefix_cache_queries",
    "vllm:prefix_cache_hits",
    "vllm:num_preemptions",
    "vllm:prompt_tokens",
    "vllm:generation_tokens",
    "vllm:request_success",
    "vllm:time_to_first_token_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
)
"""Families by the names that vLLM 0.29 gives them; a counter is exported with `_total` behind."""

OWN_LABELS = ("run", "model", "replica")


def exposition() -> str:
    """What this process's registry holds of them, as text; empty where vLLM counts nothing here."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

    class Forwarded:
        def collect(self) -> Iterable[Any]:
            return [family for family in REGISTRY.collect() if family.name in FORWARDED]

    registry = CollectorRegistry()
    registry.register(Forwarded())
    return generate_latest(registry).decode()


def families(texts: Mapping[tuple[str, str, str], str], gone: Collection[str] = ()) -> list[Any]:
    """The families of many engines as one exposition may have them: each name once. `texts` by run, model, replica;
    models in `gone` have no engine any more, and what an engine had open went with it.

    What is no exposition is left out: it comes from another process.
    """
    from prometheus_client.metrics_core import Metric
    from prometheus_client.parser import text_string_to_metric_families
    from prometheus_client.samples import Sample

    merged: dict[str, Any] = {}
    for labels, text in texts.items():
        own = dict(zip(OWN_LABELS, labels, strict=True))
        try:
            found = list(text_string_to_metric_families(text))
        except ValueError:
            continue
        for family in found:
            if family.name not in FORWARDED or (family.type == "gauge" and own["model"] in gone):
                continue
            into = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            into.samples += [
                Sample(sample.name, {**own, **sample.labels}, sample.value)
                for sample in family.samples
                if not sample.name.endswith("_created")
            ]
    return list(merged.values())
