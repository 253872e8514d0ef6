"""The run that made a dataset: its root and its configuration, for forms that read what it kept beside the rows."""

from __future__ import annotations

from factory.config import FactoryConfig, load_config
from factory.errors import ConfigError
from factory.export.recipe import Recipe
from factory.export.source import Source
from factory.publish.locate import open_root_of
from factory.run.record import read_record
from factory.store.base import Store


def require_run(source: Source, recipe: Recipe) -> Store:
    """The root of the run that made the dataset, for forms that need more than its rows. Raises
    ConfigError for a mix, and where the root is not there."""
    if source.mix:
        raise ConfigError(
            f"a mix cannot be exported as {recipe.form}",
            cause="this form needs what the run kept beside its rows, and rows of a mix come from several makers",
            remedy="export the published datasets that the mix was made of: they stand in its manifest under inputs",
        )
    return open_root_of(source.dataset, source.manifest["run"], source.root, source.endpoint_url)


def run_config(source: Source, recipe: Recipe) -> FactoryConfig:
    """The configuration of the run that made the dataset. Raises ConfigError where the run is not there."""
    record = read_record(require_run(source, recipe), source.manifest["run"])
    if record is None:
        raise ConfigError(
            f"there is no record of run {source.manifest['run']}",
            cause="the dataset was copied without its root, or the record was deleted",
            remedy="pass --root with the root that the dataset was made in",
        )
    return load_config(record["config"])
