from __future__ import annotations

import pytest

from factory.licences.expression import combine
from factory.licences.stated import OWN_TERMS, SPDX_IDS, current_id, is_known


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("public domain", "LicenseRef-public-domain"),
        ("Public Domain", "LicenseRef-public-domain"),
        ("PD", "LicenseRef-public-domain"),
        ("CC0", "CC0-1.0"),
        ("Creative Commons Zero v1.0 Universal", "CC0-1.0"),
        ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("CC-BY-SA 3.0", "CC-BY-SA-3.0"),
        ("cc by sa 4", "CC-BY-SA-4.0"),
        ("creative commons attribution 4.0", "CC-BY-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution Share Alike 3.0 Unported (CC BY-SA 3.0)", "CC-BY-SA-3.0"),
        ("CC BY-SA 3.0 Germany", "CC-BY-SA-3.0-DE"),
        ("CC BY-SA 3.0 PL", "LicenseRef-CC-BY-SA-3.0-PL"),
        ("CC BY-SA", "LicenseRef-CC-BY-SA-unspecified"),
        ("CC BY-NC-SA 3.0", "CC-BY-NC-SA-3.0"),
        ("CC-BY-NC-SA-3.0", "CC-BY-NC-SA-3.0"),
        ("by-nc", "LicenseRef-CC-BY-NC-unspecified"),
        ("Creative Commons Attribution-NonCommercial-NoDerivs 3.0 Unported", "CC-BY-NC-ND-3.0"),
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/3.0/de/deed.en", "CC-BY-NC-ND-3.0-DE"),
        ("https://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0-1.0"),
        ("https://www.gnu.org/licenses/gpl-3.0.en.html", "GPL-3.0-only"),
        ("https://opensource.org/licenses/BSD-3-Clause", "BSD-3-Clause"),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("GPLv2+", "GPL-2.0-or-later"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPL 3", "GPL-3.0-only"),
        ("GPL", "GPL-1.0-or-later"),
        ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
        ("GNU Free Documentation License, Version 1.3 or later", "GFDL-1.3-or-later"),
        ("GNU Lesser General Public License v2.1", "LGPL-2.1-only"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("License :: OSI Approved :: MIT License", "MIT"),
        ("BSD", "LicenseRef-BSD-unspecified"),
        ("3-clause BSD", "BSD-3-Clause"),
        ("PSF", "PSF-2.0"),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT or Apache 2.0", "Apache-2.0 OR MIT"),
        ("GPLv2+, MIT", "GPL-2.0-or-later AND MIT"),
        ("(CC BY-SA 3.0 AND GPLv3+) OR MIT", "(CC-BY-SA-3.0 AND GPL-3.0-or-later) OR MIT"),
        ("GPL-3.0-or-later AND others (per page)", "GPL-3.0-or-later AND LicenseRef-unknown"),
        ("UNLICENSED", "LicenseRef-all-rights-reserved"),
        ("unlicensed", "LicenseRef-all-rights-reserved"),
        ("The Unlicense", "Unlicense"),
        ("CC BY NonComm", "LicenseRef-CC-BY-NC-unspecified"),
        ("CC BY non-comm 4.0", "CC-BY-NC-4.0"),
        ("CC BY-N.C. 3.0", "CC-BY-NC-3.0"),
        ("CC-BY-N\u200bC-4.0", "CC-BY-NC-4.0"),
        ("CC-BY-N\u00adC-4.0", "CC-BY-NC-4.0"),
        ("CC\u2011BY\u2011NC\u20114.0", "CC-BY-NC-4.0"),
        ("\uff23\uff23-\uff22\uff39-\uff2e\uff23-4.0", "CC-BY-NC-4.0"),
        ("MIT + Commons Clause", "LicenseRef-Commons-Clause AND MIT"),
        ("Apache-2.0 WITH Commons-Clause", "Apache-2.0 AND LicenseRef-Commons-Clause"),
        ("MIT/Commons Clause", "LicenseRef-Commons-Clause AND MIT"),
        ("BSL 1.1", "BUSL-1.1"),
        ("Server Side Public License v1", "SSPL-1.0"),
        ("noassertion", "LicenseRef-unknown"),
        ("n/a", "LicenseRef-unknown"),
        ("licenseref-PUBLIC-domain", "LicenseRef-public-domain"),
    ],
)
def test_what_corpora_say_becomes_spdx(stated: str, expected: str) -> None:
    assert combine([stated]) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("non-commercial use only", "LicenseRef-NC"),
        ("Noncommercial", "LicenseRef-NC"),
        ("Free for research purposes only", "LicenseRef-NC"),
        ("May not be used for commercial purposes", "LicenseRef-NC"),
        ("CC BY 4.0; some images CC BY-NC", "LicenseRef-NC"),
        ("cc-by-nc with permission", "LicenseRef-NC"),
        ("no derivatives allowed", "LicenseRef-ND"),
        ("noncommercial, no derivative works", "LicenseRef-NC-ND"),
        ("© 2019 A. Author. All rights reserved.", "LicenseRef-all-rights-reserved"),
    ],
)
def test_words_that_forbid_are_understood_without_a_name(stated: str, expected: str) -> None:
    assert combine([stated]) == expected


def test_permission_for_commercial_and_noncommercial_use_forbids_nothing() -> None:
    assert combine(["free for commercial and non-commercial use"]).startswith("LicenseRef-free-for-commercial")


@pytest.mark.parametrize("stated", [
    "CC BY-SA 9.0", "Creative Commons", "GPL 7", "MIT-ish", "CC BY but ask me first",
    "MIT WITH Foo-exception", "MIT + house rules", "(MIT", "MIT)", "MIT) OR (ISC", "LicenseRef-MIT",
])  # fmt: skip
def test_half_understood_words_are_no_known_licence(stated: str) -> None:
    assert combine([stated]).startswith("LicenseRef-")
    assert not is_known(combine([stated]))


def test_every_spdx_id_is_known_and_means_itself() -> None:
    for identifier in SPDX_IDS:
        assert combine([identifier]) == current_id(identifier)
        assert is_known(identifier)
    assert all(combine([term]) == term and is_known(term) for term in OWN_TERMS)
