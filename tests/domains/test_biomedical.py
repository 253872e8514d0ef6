"""The pack `biomedical`: its planted items, its old name, and a run of it from passages to published rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from factory.domains.biomedical.checks import verdict
from factory.domains.checks import Question
from factory.domains.config import DomainConfig
from factory.domains.examine import examine
from factory.domains.pack import PACKS, load_pack
from factory.errors import ConfigError
from factory.publish.gates.config import GateConfig
from factory.publish.gates.measure import Context
from factory.publish.gates.own import OwnGates
from factory.run.compose import compose
from factory.vocabulary.entries import Entry
from factory.vocabulary.index import build_index
from tests.runs import Finished, dataset_rows, done_of, factory_cli, run_factory


def test_every_planted_item_comes_out_as_expected_and_both_ways() -> None:
    found = examine(DomainConfig(name="biomedical"))
    assert found.defects == ()
    assert found.notes == ()
    assert found.tried is not None
    assert found.tried.items >= 40
    assert all(bad and good for bad, good in found.tried.gates.values())


def test_the_code_of_the_pack_is_what_it_is_named_by() -> None:
    files = load_pack(DomainConfig(name="biomedical")).files
    assert {"doses.py", "advice.py", "drug_names.py", "writing.py", "data/inn_stems.txt"} <= files.keys()


@pytest.mark.parametrize("typed", ["domain=biomedicine", "domain.name=biomedicine"])
def test_the_old_name_leads_to_the_new_one(typed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_pack(compose([typed, "engine=scripted", "store.root=/nowhere"]).domain)
    assert "biomedical" in f"{refused.value.what} {refused.value.remedy}"


def test_a_run_is_strict_unless_the_command_says_otherwise() -> None:
    config = compose(["domain=biomedical", "engine=scripted", "store.root=/nowhere"])
    assert config.answer.require == "not_wrong"
    assert config.gate.max_personal_data == 0
    assert config.gate.severity.max_personal_data == "error"
    with_terms = compose(
        ["domain=biomedical", "domain.vocabulary.files=[a.tsv]", "engine=scripted", "store.root=/nowhere"]
    )
    assert with_terms.answer == config.answer
    loose = compose(["domain=biomedical", "engine=scripted", "store.root=/nowhere", "answer.require=any"])
    assert loose.answer.require == "any"


def test_items_name_every_gate_more_than_once() -> None:
    lines = (PACKS / "biomedical" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    asked = Counter(gate for line in lines for gate in json.loads(line)["gates"])
    assert min(asked.values()) >= 4


PASSAGES = (
    "Insulin lowers the concentration of glucose in the blood. Beta cells of the pancreas release it after a meal, and "
    "muscle and fat take glucose up in answer to it. In type 2 diabetes mellitus the tissues answer less. "
    # Words that the scripted engine makes its sentences of, so that answers about this passage alone rest on theirs.
    "It follows, once known, what limits the example, sample, result, method, process, system or structure; first "
    "consider what it depends on, which shows that both agree, and taken together makes it possible to replace what "
    "must be checked.",
    "Amoxicillin is given to adults at 500 mg three times a day. Children receive 25 mg/kg per day, divided into two "
    "doses. The treatment of otitis media lasts five days, and most children recover without it.",
    "A patient with fever, cough and rusty sputum has lobar pneumonia, usually caused by Streptococcus pneumoniae. The "
    "consolidated lung is dull on percussion, and the breath sounds are bronchial over it.",
)
VOCABULARY = (
    "term\tcode\tdefinition\tkind\nDiabetes mellitus\tE14\tToo much glucose in the blood.\tdisease\n"
    "Insulin\tA1\t\tdrug\n"
)


class Ran(NamedTuple):
    root: Path
    dataset: Path
    finished: Finished


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run with a vocabulary over copies of three passages, of which scripted answers rest on the first."""
    place = tmp_path_factory.mktemp("biomedical")
    (place / "docs").mkdir()
    lines = [{"text": f"{PASSAGES[n % 3]} Section {n}.", "license": "CC-BY-4.0", "url": f"u{n}"} for n in range(9)]
    (place / "docs" / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (place / "terms.tsv").write_text(VOCABULARY)
    extra = [
        "domain=biomedical",
        "domain.variant=knowledge_infused",
        f"domain.vocabulary.files=[{place / 'terms.tsv'}]",
        "question.levels=[1]",
        "gate.max_near_duplicates=null",
        "gate.max_duplicate_start=null",
        "gate.max_shared_start=null",
    ]
    finished = run_factory(place / "docs", str(place / "root"), extra)
    return Ran(place / "root", Path(finished.result["dataset"]), finished)


def test_a_run_publishes_what_its_passages_hold_up_and_says_what_fell_out(ran: Ran) -> None:
    manifest = json.loads((ran.dataset / "manifest.json").read_text())
    own = {gate["name"]: gate for gate in manifest["gates"] if gate["name"].startswith("pack.")}
    assert len(own) == 4
    assert all(gate["measured"] == 0 and gate["threshold"] == 0 for gate in own.values())
    reasons = next(step["reasons"] for step in manifest["steps"] if step["name"] == "samples")
    assert reasons["input"]["verified_wrong"] > 0
    assert manifest["vocabulary"][0]["name"] == "terms.tsv"
    assert manifest["vocabulary"][0]["terms"] == 2


def test_prompts_with_terms_are_counted_replayed_and_in_the_report(ran: Ran) -> None:
    facts = done_of(ran.root, ran.finished.result["run"], "question_1")["facts"]
    assert (facts["vocabulary_rows"], facts["vocabulary_rows_with_terms"], facts["vocabulary_terms"]) == (9, 3, 6)
    sample = next(iter(dataset_rows(str(ran.dataset)).values())).column("sample_id")[0].as_py()
    (ran.root.parent / "terms.tsv").unlink()  # a row can be replayed without the user's file
    replayed = json.loads(factory_cli("replay", str(ran.dataset), sample, "--json").stdout)
    assert replayed["proven"]
    report = (ran.root / "runs" / ran.finished.result["run"] / "report.html").read_text()
    assert "prompts were given terms" in report


def test_the_gate_on_names_says_where_no_vocabulary_was_asked() -> None:
    code = load_pack(DomainConfig(name="biomedical")).checks
    assert code is not None
    drugs = build_index([("own.tsv", [Entry("Ramipril", kind="drug")])], 0)
    others = build_index([("own.tsv", [Entry("Fever", kind="disease")])], 0)
    told = {}
    for name, vocabulary in (("none", None), ("others", others), ("drugs", drugs)):
        results = OwnGates(GateConfig(), code.load(), None, vocabulary).results(Context(0, 0))
        told[name] = next(result.evidence for result in results if result.name == "pack.unknown_medicines")
    assert "domain.vocabulary.files" in told["none"][0]
    assert "has no term of it" in told["others"][0]
    assert told["drugs"] == ()


@pytest.mark.parametrize(
    ("answer", "by"),
    [
        ("Adults take amoxicillin 500 mg every eight hours.", None),
        ("Adults take amoxicillin 500 mg every six hours.", "dosage_without_evidence"),
        ("Adults take 500 mg of paracetamol three times a day.", "dosage_without_evidence"),
        ("Adults take amoxicillin 500 mg and paracetamol 1 g three times a day.", "dosage_without_evidence"),
        ("Adults take amoxicillin 1/2 g three times daily.", None),
        ("Adults take 5 x 10^2 mg of amoxicillin three times a day.", None),
        ("Adults take amoxicillin 500&#8239;mg t.d.s.", None),
        ("Adults take amoxicillin 500 to 1000 mg three times a day.", "dosage_without_evidence"),
        ("Adults take amoxicillin 500 mg/kg three times a day.", "dosage_without_evidence"),
    ],
)
def test_a_dose_has_to_be_the_passages_in_amount_rate_frequency_and_medicine(answer: str, by: str | None) -> None:
    question = Question("How much amoxicillin do adults take?", passages=(PASSAGES[1], "Adults take it with water."))
    assert verdict(question, answer).by == by
