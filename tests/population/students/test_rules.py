"""Every rule fires on a record that breaks it and on none that is drawn; what is read back is what was drawn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deeppersona.population.students import RULES, TEXT_RULES, Students, broken, validate, validate_all
from deeppersona.population.students.choose import Columns
from deeppersona.population.students.read import Reader
from deeppersona.population.students.texts import told_of
from deeppersona.schema.report import Issue

Record = dict[str, Any]
Change = Callable[[Record], None]


def value(record: Record, path: str) -> Any:
    return next((t["value"] for t in record["traits"] if t["path"] == path), None)


def put(path: str, new: Any) -> Change:
    def change(record: Record) -> None:
        for trait in record["traits"]:
            if trait["path"] == path:
                trait["value"] = new
                return
        record["traits"].append({"path": path, "value": new, "source": "prior", "evidence": {}})

    return change


def all_of(*changes: Change) -> Change:
    def change(record: Record) -> None:
        for one in changes:
            one(record)

    return change


def text(old: str, new: str) -> Change:
    return lambda record: record.__setitem__("narrative", record["narrative"].replace(old, new))


def whole(new: str) -> Change:
    return lambda record: record.__setitem__("narrative", new)


def _swap_subjects(record: Record) -> None:
    strong = value(record, "student.academic.strong")
    put("student.academic.weak", [strong[0]])(record)


def _sign_of_marks(record: Record) -> None:
    subject = value(record, "student.academic.strong")[0].replace(" ", "_")
    put(f"student.academic.marks.{subject}", 6)(record)


def _other_level(record: Record) -> None:
    put("student.academic.percentile", 99 if value(record, "student.academic.level") != "top tenth" else 5)(record)


def _other_cluster(record: Record) -> None:
    put("student.academic.cluster", "sport" if value(record, "student.academic.cluster") != "sport" else "arts")(record)


def _other_friend(record: Record) -> None:
    record["traits"] = [t for t in record["traits"] if t["path"] != "student.social.best_friend"]
    put("student.social.close_friends", 2)(record)


def _other_band(record: Record) -> None:
    put("student.wellbeing.overall", "well" if value(record, "student.wellbeing.overall") != "well" else "up and down")(
        record
    )


def _another_grade(record: Record) -> None:
    grade = value(record, "student.grade")
    record["narrative"] += f" Last year it was grade {grade - 1 or 5}."


def _unsaid(record: Record) -> None:
    best = {"foreign language": "the foreign language"}.get(
        value(record, "student.academic.strong")[0], value(record, "student.academic.strong")[0]
    )
    record["narrative"] = record["narrative"].replace(best, "something").replace(best.capitalize(), "Something")


BREAKS: dict[str, Change] = {
    "known-values": put("student.development.piaget", "post-formal"),
    "age-fits-grade": all_of(put("student.grade", 2), put("demographics.age", 15)),
    "route-explains-age": all_of(put("student.grade", 5), put("demographics.age", 13), put("student.school.route", "on time")),
    "route-has-room": all_of(put("student.grade", 1), put("student.school.route", "skipped a grade"), put("demographics.age", 5)),
    "skippers-keep-up": all_of(put("student.school.route", "skipped a grade"), put("student.academic.level", "lower half")),
    "school-stage-of-grade": all_of(put("student.grade", 1), put("student.school.stage", "upper secondary")),
    "piaget-fits-age": all_of(put("demographics.age", 7), put("student.development.piaget", "formal operational")),
    "erikson-fits-age": all_of(put("demographics.age", 8), put("student.development.erikson", "intimacy versus isolation")),
    "kohlberg-fits-age": all_of(put("demographics.age", 9), put("student.development.kohlberg", "5, social contract")),
    "kohlberg-needs-piaget": all_of(
        put("demographics.age", 14), put("student.development.piaget", "concrete operational"),
        put("student.development.kohlberg", "4, law and order"),
    ),
    "subjects-disjoint": _swap_subjects,
    "subjects-of-grade": all_of(put("student.grade", 2), put("student.academic.weak", ["economics"])),
    "cluster-from-strong": _other_cluster,
    "level-from-rank": _other_level,
    "mark-fits-level": all_of(put("student.academic.level", "top tenth"), put("student.academic.average_mark", 41)),
    "marks-fit-subjects": _sign_of_marks,
    "homework-fits-grade": all_of(put("student.grade", 1), put("student.learning.homework_minutes", 200)),
    "wellbeing-from-grades": _other_band,
    "calm-fits-temper": all_of(put("student.personality.neuroticism", "very high"), put("student.wellbeing.calm", "calm")),
    "habit-fits-band": all_of(
        put("student.personality.extraversion", "very low"),
        put("student.personality.described", ["talks to everybody in the queue", "sleeps through thunder"]),
    ),
    "wording-fits-wellbeing": all_of(put("student.wellbeing.calm", "calm"), put("student.wellbeing.worry", "being laughed at")),
    "deed-fits-value": all_of(put("student.values.kindness", "slight"), put("student.values.shown", "gave away the warmer of two jackets")),
    "making-fits-creativity": all_of(
        put("student.creativity.fluency", "slight"), put("student.creativity.way", "has ten before the others have one")
    ),
    "hobby-fits-pupil": all_of(put("student.creativity.imagination", "slight"), put("student.interests.hobbies", ["making up stories"])),
    "shows-in-subject": all_of(
        put("student.grade", 10), put("student.academic.strong", ["music"]), put("student.academic.shines_at", "derivatives")
    ),
    "company-fits": all_of(put("student.social.close_friends", 0), put("student.social.break_time", "sits on the wall with the same two")),
    "home-fits": all_of(put("student.home.siblings", []), put("student.home.sleeps", "in a room shared with a sister")),
    "school-fits": all_of(put("student.personality.conscientiousness", "very low"), put("student.learning.report", "careful to a fault")),
    "of-the-grade": all_of(put("student.grade", 2), put("student.self.wish", "to study law")),
    "themes-fit-age": all_of(put("demographics.age", 9), put("student.home.weekend", "has a Saturday job")),
    "friends-named": _other_friend,
    "household-adds-up": all_of(put("demographics.age", 10), put("student.home.siblings", ["Ada, older sister, 4"])),
    "text-says-name": put("demographics.name", "Zzyzx Qqqq"),
    "text-says-pronoun": all_of(put("demographics.sex", "female"), text("She ", "He "), text(" she ", " he "), text(" her ", " his ")),
    "text-says-age": put("demographics.age", 22),
    "text-says-grade": _another_grade,
    "text-says-subjects": _unsaid,
    "text-not-clinical": lambda r: r.__setitem__("narrative", r["narrative"] + " A case of depression, they say."),
    "text-fits-age": all_of(
        put("demographics.age", 8), lambda r: r.__setitem__("narrative", r["narrative"] + " There is a girlfriend already.")
    ),
    "text-length": whole("She is nine and in grade 4."),
    "text-reads": lambda r: r.__setitem__("narrative", r["narrative"] + " This is a egg  {name}."),
}  # fmt: skip


def test_there_are_enough_rules_and_each_says_why() -> None:
    ids = [rule.id for rule in RULES] + [rule.id for rule in TEXT_RULES]
    assert len(ids) == len(set(ids)) >= 18
    assert all(rule.source and rule.what for rule in RULES) and all(rule.blocks for rule in RULES)
    assert {"error", "warning"} == {rule.severity for rule in RULES}


@pytest.mark.parametrize("rule", [rule.id for rule in RULES] + [rule.id for rule in TEXT_RULES])
def test_every_rule_fires_on_a_broken_record(records: list[Record], rule: str) -> None:
    fired = 0
    for record in records[:6]:
        changed = copy.deepcopy(record)
        BREAKS[rule](changed)
        issues = validate(changed)
        fired += rule in {issue.rule for issue in issues}
        assert all(isinstance(issue, Issue) and issue.message.startswith(record["id"]) for issue in issues)
    assert fired == 6


def test_nothing_drawn_breaks_a_rule(columns: Columns) -> None:
    assert broken(columns) == {}


def test_no_finished_record_breaks_a_rule(records: list[Record]) -> None:
    assert [str(issue) for issues in validate_all(records) for issue in issues] == []


def test_what_is_read_back_is_what_was_drawn(students: Students, records: list[Record]) -> None:
    drawn = students.pupils.draw(11, np.arange(len(records)))
    read = Reader(students.schema).columns(records)
    for name in set(read) & set(drawn):
        if name.startswith("sibling"):
            continue  # told in another order
        assert (read[name].astype(float) == drawn[name].astype(float)).all(), name
    assert len(set(read) & set(drawn)) > 120


def test_columns_and_records_break_the_same_rules(students: Students) -> None:
    columns = students.pupils.draw(2, np.arange(40))
    columns["calm"][:] = np.where(np.arange(40) < 10, 5, columns["calm"])
    columns["neuroticism"][:10] = 5
    assert broken(columns)["calm-fits-temper"].tolist() == [i < 10 for i in range(40)]


def test_an_issue_says_where_which_rule_how_bad_and_with_what(records: list[Record]) -> None:
    changed = copy.deepcopy(records[0])
    BREAKS["age-fits-grade"](changed)
    issue = next(i for i in validate(changed) if i.rule == "age-fits-grade")
    assert issue.path == "demographics.age" and issue.severity == "error" and "(age 15, grade 2)" in issue.message
    BREAKS["skippers-keep-up"](changed)
    assert next(i for i in validate(changed) if i.rule == "skippers-keep-up").severity == "warning"


def test_a_record_with_most_of_it_missing_is_read_without_a_crash() -> None:
    bare = {"id": "x", "traits": [{"path": "student.grade", "value": "three"}], "narrative": "", "system_prompt": "",
            "provenance": {"slot": 0}}  # fmt: skip
    assert {"known-values", "text-says-name"} <= {issue.rule for issue in validate(bare)}


def test_names_that_hold_words_are_no_fault(records: list[Record]) -> None:
    told = next(told_of(records, {}))
    for rule, sentence, others in (
        ("text-not-clinical", "Bautista waits.", ()), ("text-fits-age", "Abeer of Beersheba waits.", ()),
        ("text-reads", "The village is near Giengen an der Brenz.", ("Giengen an der Brenz",)),
    ):  # fmt: skip
        check = next(r.check for r in TEXT_RULES if r.id == rule)
        assert not check(replace(told, text=f"{told.text} {sentence}", others=others))
