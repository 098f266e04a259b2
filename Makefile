# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs, in a folder of its own.
PYTHON ?= python3
N ?= 12

.PHONY: demo test lint check bench clean

demo: .venv-demo/done
	.venv-demo/bin/deeppersona generate -n $(N) --seed 7 --out demo \
	  --country KE --country IN --country BR --country DE --country JP --country US
	@echo
	@echo "Open demo/index.html in a browser, or read one person: .venv-demo/bin/deeppersona show demo 0"

.venv-demo/done: pyproject.toml constraints.txt tools/venv.sh
	sh tools/venv.sh $(PYTHON) .venv-demo
	.venv-demo/bin/python -m pip install --quiet -c constraints.txt .
	touch $@

.venv/done: pyproject.toml constraints.txt tools/venv.sh
	sh tools/venv.sh $(PYTHON) .venv
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

lint: .venv/done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

check: .venv/done
	.venv/bin/deeppersona taxonomy check

test: lint check
	sh tools/browser.sh
	.venv/bin/pytest -n 2 -m "not local_model"
	.venv/bin/pytest -m local_model  # by themselves: a model served beside other work waits for processors most of its time

bench: .venv/done
	.venv/bin/python benchmarks/run.py

clean:
	rm -rf .venv .venv-demo demo build *.egg-info
