"""Student populations: synthetic pupils of grades 1 to 12 from statistics and a grammar, checked by rules, without any model.

``Students(countries).make(seed, slots, cells)`` gives records; ``Pupils`` draws columns alone; ``rules.validate`` looks at a
finished record. The schema, its sources and all wording are the YAML files of this folder.
"""

from deeppersona.population.students.draw import Pupils
from deeppersona.population.students.home import school_age_people
from deeppersona.population.students.make import Students
from deeppersona.population.students.rules import RULES, TEXT_RULES, broken, validate, validate_all
from deeppersona.population.students.schema import Schema, shipped_schema

__all__ = [
    "RULES",
    "TEXT_RULES",
    "Pupils",
    "Schema",
    "Students",
    "broken",
    "school_age_people",
    "shipped_schema",
    "validate",
    "validate_all",
]
