"""The optional parts of pack.yaml, and variants of prompts: what each changes, and what a slip in it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.concepts.config import ExtractConfig
from factory.concepts.extract import ExtractStep
from factory.domains.config import DomainConfig
from factory.domains.pack import PACKS, Pack, load_pack
from factory.errors import ConfigError
from factory.run.first_notes import benchmarks_left_out

GENERAL = load_pack(DomainConfig())


def pack(folder: Path, keys: str = "", variant: str | None = None, **prompts: str) -> Pack:
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    (folder / "pack.yaml").write_text(f"extends: general\nname: physics\ndescription: Physics.\n{keys}")
    for name, text in prompts.items():
        (folder / "prompts" / f"{name}.md").write_text(text)
    return load_pack(DomainConfig(path=str(folder), variant=variant))


def extracting(found: Pack) -> dict[str, object]:
    return ExtractStep(ExtractConfig(), found, 5).identity()


def test_without_hints_and_subjects_extraction_is_what_it_was(tmp_path: Path) -> None:
    assert "{{hints}}" in (PACKS / "general" / "prompts" / "extract.md").read_text()
    assert "hints" not in GENERAL.prompt("extract").template
    assert "important.\n\n<passage>" in GENERAL.prompt("extract").template
    assert extracting(pack(tmp_path)) == extracting(GENERAL)


def test_hints_stand_before_the_examples_and_name_the_prompt(tmp_path: Path) -> None:
    found = pack(tmp_path, "hints: |\n  Name quantities with their unit.\n  Leave out names.\n")
    assert (
        "important.\nName quantities with their unit.\nLeave out names.\n\n<passage>"
        in found.prompt("extract").turns[0][1]
    )
    assert extracting(found)["prompt"] != extracting(GENERAL)["prompt"]
    assert found.prompt("answer") == GENERAL.prompt("answer")


def test_subjects_are_named_to_the_model_where_the_prompt_has_a_place_for_them(tmp_path: Path) -> None:
    taxonomy = "subjects: {Optics: [light], Waves: []}\n"
    found = pack(tmp_path / "inherited", taxonomy).prompt("extract").turns[0][1]
    assert "four words. If one of these fits, take it as it is written: Optics; Waves.\n" in found
    own = pack(tmp_path / "own", taxonomy, extract="Read, by optics or waves.\n{{document}}")
    assert own.prompt("extract").template == "Read, by optics or waves.\n{{document}}"
    assert "{{subjects}}" not in GENERAL.prompt("extract").template


def test_inherited_examples_are_shown_with_the_levels_of_the_pack(tmp_path: Path) -> None:
    levels = "levels: [young, old]\nlevels_of_examples: {middle_school: young, high_school: old}\n"
    own = """{{document}} {{questions}} {{levels}}
<!-- assistant -->
{"level": "high_school"}
<!-- user -->
"level": "high_school" """
    found = pack(tmp_path, levels, question_level_1=own)
    assert '"level": "old", "subject": "Plant biology"' in found.prompt("extract").turns[1][1]
    assert found.prompt("extract").turns[::2] == GENERAL.prompt("extract").turns[::2]
    assert found.prompt("question_level_1").template == own.rstrip("\n")


@pytest.mark.parametrize(
    ("keys", "prompts", "said"),
    [
        ("levels: [a, b]\nlevels_of_examples: {high_school: c}\n", {}, "c is none of the levels, a, b"),
        ("hints: Use SI units.\n", {"extract": "Read.\n{{document}}"}, "lacks {{hints}}"),
        ("hints: 'See {{document}}'\n", {}, "hints: it holds '{{'"),
        (f"hints: {'x' * 1501}\n", {}, "hints: String should have at most 1500"),
        ("subjects: {Optics: [light], Waves: [Light]}\n", {}, "names both"),
        ("tags: {level: [a, b]}\n", {}, "'level' is a key of the reply already"),
        ("tags: {bloom: [Apply, apply]}\n", {}, "two values that read the same"),
        ("tags: {bloom: [apply]}\n", {}, "at least 2"),
        ("strata: [edu_leve]\n", {}, "did you mean `edu_level`?"),
        ("strata: [bloom]\n", {}, "strata: bloom is no column"),
        ("benchmarks: [PIQA, piqa]\n", {}, "named twice"),
    ],
)
def test_a_slip_in_a_part_is_named(tmp_path: Path, keys: str, prompts: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pack(tmp_path, keys, **prompts)
    assert said in caught.value.what


def test_settings_are_taken_over_key_by_key_and_other_keys_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factory.domains import pack as packs
    from factory.run.pack_settings import pack_settings

    base = tmp_path / "shipped" / "base"
    base.mkdir(parents=True)
    general = (PACKS / "general" / "pack.yaml").read_text().replace("name: general", "name: base")
    (base / "pack.yaml").write_text(
        general + "\nstrata: [subject]\nsettings:\n  answer: {require: not_wrong}\n  gate: {min_samples: 3}\n"
    )
    (base / "prompts").symlink_to(PACKS / "general" / "prompts")
    monkeypatch.setattr(packs, "PACKS", tmp_path / "shipped")
    own = tmp_path / "own"
    own.mkdir()
    (own / "pack.yaml").write_text(
        "extends: base\nname: own\ndescription: Own.\nstrata: [level]\nsettings: {gate: {min_samples: 9}}\n"
    )
    config = DomainConfig(path=str(own))
    assert pack_settings(config).values == {"answer": {"require": "not_wrong"}, "gate": {"min_samples": 9}}
    assert load_pack(config).strata == ("level",)


def test_benchmarks_that_a_run_leaves_out_are_named(tmp_path: Path) -> None:
    found = pack(tmp_path, "benchmarks: [PIQA, SciQ]\n")
    said = benchmarks_left_out(found, ["piqa"])
    assert said is not None
    assert "SciQ" in said
    assert "PIQA" not in said
    assert benchmarks_left_out(found, ["sciq", "PIQA", "other"]) is None


def test_the_zero_shot_variant_shows_no_examples_and_falls_back_where_it_has_no_prompt() -> None:
    found = load_pack(DomainConfig(variant="zero_shot"))
    for name in ("extract", "question_level_1", "question_level_2", "question_level_3"):
        assert [role for role, _ in found.prompt(name).turns] == ["user"], name
        assert found.prompt(name).placeholders == GENERAL.prompt(name).placeholders, name
    assert found.prompt("same_problem") == GENERAL.prompt("same_problem")


def test_a_variant_of_the_pack_itself_comes_first_then_its_plain_prompt(tmp_path: Path) -> None:
    own = {"answer": "Plain: {{question}}", "extract": "Mine: {{document}}"}
    folder = tmp_path / "prompts" / "zero_shot"
    folder.mkdir(parents=True)
    (folder / "answer.md").write_text("Short: {{question}}")
    found = pack(tmp_path, variant="zero_shot", **own)
    assert found.prompt("answer").template == "Short: {{question}}"
    assert found.prompt("extract").template == "Mine: {{document}}"
    assert pack(tmp_path, **own).prompt("answer").template == "Plain: {{question}}"


def test_a_variant_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `zero_shot`") as caught:
        load_pack(DomainConfig(variant="zeroshot"))
    assert caught.value.cause.startswith("variants that are there: ")
    assert "zero_shot" in caught.value.cause


def test_the_paper_s_difficulty_levels_are_those_of_maths_and_its_syllabus_subjects_fit_its_taxonomy() -> None:
    from factory.concepts.wording import comparable
    from factory.domains.syllabus import load_syllabus

    config = DomainConfig(name="maths")
    maths = load_pack(config)
    assert maths.levels == (
        "elementary", "middle_school", "high_school", "college", "grad_school", "competition", "other",
    )  # fmt: skip
    known = {comparable(name) for subject, others in maths.subjects.items() for name in (subject, *others)}
    unknown = [subject for subject in load_syllabus(config).subjects if comparable(subject) not in known]
    assert len(unknown) <= 6, unknown
