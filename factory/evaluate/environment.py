"""What every page of ours is rendered in: templates that escape everything, whatever a corpus or a model wrote.

Design: documents and completions hold HTML, LaTeX and script text. Autoescape is on for every file (by name it would
depend on the file's ending, and .j2 is not among those it knows), unprintable characters are replaced on the way in,
and a name that a template misspells is an error instead of an empty place. The style sheet and its safeguards lie in
factory/evaluate; templates of other rooms are looked for in their own package first.
"""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from factory.evaluate import text


def page_environment(*packages: str) -> Environment:
    """An environment of its own for a page, so that it can be given filters; templates are found in `packages`, then
    in factory/evaluate."""
    loaders = [PackageLoader(package, "") for package in (*packages, "factory.evaluate")]
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
