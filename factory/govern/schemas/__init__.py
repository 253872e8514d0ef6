"""Schemas that finished documents are held against, as files, so that a check needs no network.

spdx-3.0.1.schema.json   the classes of SPDX 3.0.1 that documents/spdx.py writes, made from SPDX's own bindings
                         (spdx-python-model 0.0.6, Apache-2.0) by `python -m tests.govern.spdx_schema`
openlineage/             our own writing of what OpenLineage 2-0-2 and the facets that we write require
cyclonedx/               CycloneDX 1.7 and what it refers to, byte for byte from cyclonedx-python-lib 11.12.0
                         (Apache-2.0; CycloneDX/specification, Apache-2.0)
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson


@lru_cache(maxsize=16)
def load_schema(path: str) -> dict[str, Any]:
    """A schema by its path in this folder."""
    schema: dict[str, Any] = orjson.loads(files(__name__).joinpath(path).read_bytes())
    return schema
