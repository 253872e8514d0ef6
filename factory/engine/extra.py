"""Which keys of `engine.extra` can change what a model writes, and so belong to the identity of a model.

Design: keys that are known to be tuning (batch sizes, memory, parallelism, caches, logging) are named here and stay
outside; every other key is taken for one that can change text (quantization, hf_overrides, dtype, …), for a key that is
wrongly outside mixes rows of two makings under one name, and one that is wrongly inside costs a second generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCRIPTED_TUNING = frozenset({"die_on", "hang_on", "latency"})
"""Trouble on demand, and time: what an engine writes where it does not die is the same without them."""

VLLM_TUNING = frozenset(
    [
        "aggregate_engine_logging",
        "async_scheduling",
        "block_size",
        "collect_detailed_traces",
        "compilation_config",
        "cpu_offload_gb",
        "cudagraph_capture_sizes",
        "cudagraph_metrics",
        "data_parallel_address",
        "data_parallel_backend",
        "data_parallel_rpc_port",
        "data_parallel_size",
        "data_parallel_size_local",
        "disable_custom_all_reduce",
        "disable_log_stats",
        "distributed_executor_backend",
        "distributed_timeout_seconds",
        "download_dir",
        "enable_chunked_prefill",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "kv_cache_metrics",
        "long_prefill_token_threshold",
        "max_cudagraph_capture_size",
        "max_num_batched_tokens",
        "max_num_scheduled_tokens",
        "max_num_seqs",
        "max_parallel_loading_workers",
        "nnodes",
        "node_rank",
        "num_gpu_blocks_override",
        "numa_bind",
        "numa_bind_cpus",
        "numa_bind_nodes",
        "offload_backend",
        "otlp_traces_endpoint",
        "pipeline_parallel_size",
        "prefix_caching_hash_algo",
        "ray_workers_use_nsight",
        "renderer_num_workers",
        "safetensors_load_strategy",
        "safetensors_prefetch_num_threads",
        "scheduling_policy",
        "show_hidden_metrics_for_version",
        "tensor_parallel_size",
        "watermark",
    ]
)
"""Engine arguments of vLLM that decide how fast and where, not what."""


def identity_of_extra(kind: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What of `engine.extra` can change a row; {} where nothing of it can. An openai engine passes nothing of it on."""
    if kind == "openai":
        return {}
    tuning = SCRIPTED_TUNING if kind == "scripted" else VLLM_TUNING
    return {key: value for key, value in sorted(extra.items()) if key not in tuning}
