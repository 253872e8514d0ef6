from __future__ import annotations

from tests.publish.conftest import root as root
from tests.publish.conftest import worked as worked
from tests.publish.conftest import world as world
