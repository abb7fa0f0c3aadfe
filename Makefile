# `make demo` and `make test` do all their own set-up: a virtual environment in .venv, pinned and
# hashed requirements, the package itself. They need Python 3.11 or newer and a package index.
PYTHON ?= python3
VENV ?= .venv
TOOLS ?= .tools
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help demo demo-keycloak test test-fast test-keycloak differential isolation lint lint-deploy format mutate bench bench-page chaos chaos-fast soak fuzz flood audit chart chart-schema docs docs-settings screenshots wheel sbom lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.main ## the main job, with nothing else installed (ARGS=--once exits)
	@$(BIN)/hasura-kc-auth demo $(ARGS)

demo-keycloak: $(VENV)/.test ## the same with a real Keycloak (Java 17 and Maven bring it)
	@$(BIN)/python tests/integration/demo.py $(ARGS)

test: test-fast test-keycloak ## the whole suite, but for the faults (make chaos)

test-fast: $(VENV)/.test ## everything but the real Keycloak and the faults, with coverage
	$(BIN)/coverage run -m pytest --ignore=tests/integration --ignore=tests/chaos $(ARGS)
	$(BIN)/coverage report

test-keycloak: $(VENV)/.test ## against a real Keycloak (Java 17 and Maven bring it)
	$(BIN)/python -m pytest tests/integration $(ARGS)

differential: $(VENV)/.test tests/differential/node_modules ## mutants of real tokens, judged by another implementation too (Node; ARGS="--count N --seed N")
	@$(BIN)/python -m tests.differential $(ARGS)

isolation: $(VENV)/.test ## a million random requests beside a model of who may see what (ARGS="--count N --seed N")
	@$(BIN)/python -m tests.isolation $(ARGS)

lint: $(VENV)/.lint ## formatting, lint, layers, types, dependencies, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/deptry hasura_kc_auth
	$(BIN)/codespell
	$(BIN)/hadolint Dockerfile

lint-deploy: $(VENV)/.chart ## compose.yaml and the workflows
	@$(GO_WITH) go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2 deploy/compose/compose.yaml >/dev/null
	@$(GO_WITH) go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

format: $(VENV)/.lint ## write the code as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mutate: $(VENV)/.mutate ## is every line of the decision held by a test? (mutmut, some minutes; ARGS='rules keys': these modules)
	$(BIN)/python -m tests.mutation $(ARGS)

bench: $(VENV)/.bench ## CPU time, requests/s and latency of a request beside bare aiohttp (ARGS=scale, ARGS=--help)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-page: $(VENV)/.bench ## measure everything (ten minutes) and write docs/performance.md with its pictures anew
	@$(BIN)/python -m tests.bench all --write docs/performance.md $(ARGS)

fuzz: $(VENV)/.fuzz ## the three decoders under a coverage-guided fuzzer, 5 minutes (ARGS="--seconds 60 jws")
	$(BIN)/python -m tests.fuzz $(ARGS)

flood: $(VENV)/.test ## a hundred thousand hostile tokens: memory stays bounded
	HASURA_KC_AUTH_TEST_FLOOD=100000 $(BIN)/python -m pytest tests/hostile/test_flood.py -s $(ARGS)

chaos: $(VENV)/.test ## the faults of docs/reliability.md, one by one (ARGS=--write: and the table there)
	$(BIN)/python -m tests.chaos $(ARGS)

chaos-fast: $(VENV)/.test ## those of them that take seconds, without a real Keycloak
	$(BIN)/python -m pytest tests/chaos -m "not long" $(ARGS)

soak: $(VENV)/.test ## ten minutes of mixed load, each answer judged (ARGS="--minutes 2 --seed 7 --json")
	$(BIN)/python -m tests.soak $(ARGS)

audit: $(VENV)/.lint ## known holes in the pinned requirements
	$(BIN)/pip-audit --requirement requirements/main.txt --requirement requirements/image.txt --require-hashes --disable-pip

docs: $(VENV)/.docs ## the manual as one site, in site/; nothing is missing, no link leads nowhere
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	HASURA_KC_AUTH_TEST_REQUIRE_SITE=1 $(BIN)/python -m pytest tests/test_site.py $(ARGS)

docs-settings: $(VENV)/.main ## write the reference in docs/settings.md anew from the settings' types
	$(BIN)/python docs/tools/settings_page.py docs/settings.md

screenshots: $(VENV)/.docs ## docs/images/ anew, of a real Keycloak's console (Java, Maven, chromium-driver)
	PYTHONPATH=tests/integration $(BIN)/python docs/tools/screenshots.py docs/images

chart: $(TOOLS)/.chart ## the Helm chart: lint, render, check against the schemas of Kubernetes
	HASURA_KC_AUTH_TEST_REQUIRE_HELM=1 $(BIN)/python -m pytest tests/deploy/helm $(ARGS)

chart-schema: $(VENV)/.main ## write the chart's values.schema.json anew from the settings' types
	$(BIN)/python deploy/tools/chart_schema.py > deploy/helm/hasura-kc-auth/values.schema.json

wheel: $(VENV)/.main ## build the wheel into dist/
	$(BIN)/hatchling build --target wheel

sbom: $(VENV)/.lint ## dist/sbom.cdx.json: what the image holds of Python (CycloneDX), from the pinned requirements
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/image.txt --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json

lock: ## write requirements/ anew from pyproject.toml (needs uv)
	uv pip compile $(LOCK) pyproject.toml --output-file requirements/main.txt
	uv pip compile $(LOCK) pyproject.toml --all-extras --constraint requirements/main.txt --output-file requirements/image.txt
	uv pip compile $(LOCK) --group bench --constraint requirements/test.txt --output-file requirements/bench.txt
	uv pip compile $(LOCK) --group build --output-file requirements/build.txt
	uv pip compile $(LOCK) --group chart --constraint requirements/main.txt --output-file requirements/chart.txt
	uv pip compile $(LOCK) pyproject.toml --group test --constraint requirements/main.txt --output-file requirements/test.txt
	uv pip compile $(LOCK) pyproject.toml --group lint --constraint requirements/main.txt --output-file requirements/lint.txt
	uv pip compile $(LOCK) --group mutate --constraint requirements/test.txt --output-file requirements/mutate.txt
	uv pip compile $(LOCK) --group fuzz --constraint requirements/test.txt --output-file requirements/fuzz.txt
	uv pip compile $(LOCK) --group docs --constraint requirements/test.txt --output-file requirements/docs.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

clean: ## remove what these targets made
	rm -rf $(VENV) $(TOOLS) tests/differential/node_modules dist site mutants .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .fuzz

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.main: $(VENV)/.venv requirements/main.txt requirements/build.txt pyproject.toml
	@echo "installing the pinned requirements and the package"
	@$(PIP) -r requirements/main.txt -r requirements/build.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.main requirements/test.txt
	@echo "installing the test tools"
	@$(PIP) -r requirements/test.txt
	@touch $@

# Without Node `make differential` says so itself.
tests/differential/node_modules: tests/differential/package.json tests/differential/package-lock.json
	@! command -v npm >/dev/null || npm ci --prefix tests/differential --silent --no-audit --no-fund --ignore-scripts
	@! test -d $@ || touch $@

$(VENV)/.lint: $(VENV)/.test requirements/lint.txt
	@echo "installing the lint tools"
	@$(PIP) -r requirements/lint.txt
	@touch $@

$(VENV)/.mutate: $(VENV)/.test requirements/mutate.txt
	@echo "installing the mutation tester"
	@$(PIP) -r requirements/mutate.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.test requirements/docs.txt
	@echo "installing what builds the site"
	@$(PIP) -r requirements/docs.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.test requirements/bench.txt
	@echo "installing what draws the pictures of the bench"
	@$(PIP) -r requirements/bench.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.test requirements/fuzz.txt
	@echo "installing the fuzzer"
	@$(PIP) -r requirements/fuzz.txt
	@touch $@

$(VENV)/.chart: $(VENV)/.test requirements/chart.txt
	@echo "installing Go and the schemas of Kubernetes"
	@$(PIP) -r requirements/chart.txt
	@touch $@

# helm, kubeconform and controller-gen, in the versions and with the hashes of deploy/tools/go.sum.
GO_WITH = PATH=$(abspath $(BIN)):$$PATH CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
$(TOOLS)/.chart: $(VENV)/.chart $(addprefix deploy/tools/,go.mod go.sum monitors.go kubernetes_schemas.py)
	@echo "building helm and kubeconform (once, some two minutes)"
	@mkdir -p $(TOOLS)/bin
	@cd deploy/tools && $(GO_WITH) go build -ldflags="-s -w" -o $(abspath $(TOOLS))/bin/ tool
	@cd deploy/tools && $(GO_WITH) $(abspath $(TOOLS))/bin/controller-gen crd \
		paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1 \
		output:crd:dir=$(abspath $(TOOLS))/crds
	@$(BIN)/python deploy/tools/kubernetes_schemas.py $(TOOLS)/schemas $(TOOLS)/crds
	@touch $@
