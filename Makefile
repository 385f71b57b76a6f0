# The two commands: `make demo` runs the main job, `make test` passes the tests. Each sets up everything that it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An index that is set up with local link folders must not leak into the environment of the tools.
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test check fuzz soak soak-outbox interop bench bench-memory bench-records docs pages standards dist lock words clean
.DEFAULT_GOAL := help

help:
	@echo "make demo          run Zegel on example mail, until Ctrl-C (make demo ONCE=1 ends by itself)"
	@echo "make test          all tests (real servers where they are installed; WORKERS=2 side by side)"
	@echo "make check         lint, types, floors, the RFC index, the pages"
	@echo "make interop       the matrix with OpenDKIM, Mail::DKIM, rspamd and dkimpy; writes docs/interop.md (Debian's servers, as root)"
	@echo "make fuzz          the fuzzers, an hour each (SECONDS=60, JOBS=2, HARNESS=forge)"
	@echo "make soak-outbox   mail under load while the daemon is killed, 30 times (KILLS=30); Postfix, as root"
	@echo "make soak          that, and rotations under 50 messages a second, half an hour (MINUTES=30, RATE=50; POSTFIX=1: through a real Postfix)"
	@echo "make bench         beside the peers, half an hour; writes docs/benchmarks.md (SHORT=1: in some minutes; QUICK=1: prints only)"
	@echo "make bench-memory  the daemon's memory over 200,000 messages"
	@echo "make bench-records memory and store over 200,000 messages judged and recorded, and sixty days of retention (ARGS='--messages 20000')"
	@echo "make docs          the pages in docs/, into build/docs"
	@echo "make pages         write the man pages and the reference anew, from the code"
	@echo "make standards     write docs/standards.md: which sections of which RFCs are kept, where, and by which tests"
	@echo "make dist          wheel and source archive, into dist/"
	@echo "make words         collect the sentences for translators (needs gettext)"
	@echo "make lock          renew the locked requirements (needs uv)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Zegel needs Python 3.11 or later; say PYTHON=/path/to/python3.11 make ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing; on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/run.done: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Zegel needs into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/run.txt
	@$(PIP) install --quiet --require-hashes -r requirements/build.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	@echo "Installing the development tools into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/run.done
	@$(BIN)/zegel demo $(if $(ONCE),--once)

# Side by side, file by file, in the order of the folders: the long ones with servers first, and the many short ones fill up the end.
# Nothing of it asserts a time.
WORKERS = 2
test: $(VENV)/dev.done
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m rfc
	$(BIN)/python -m docs.writers --check
	@$(MAKE) --no-print-directory docs

# A finding, or a harness that fell over, is exit status 1. See tests/fuzz/README.md.
SECONDS = 3600
fuzz: $(VENV)/dev.done
	@PYTHONPATH=tests $(BIN)/python -m fuzz.run --seconds $(SECONDS) $(if $(JOBS),--jobs $(JOBS)) $(HARNESS)

# Mail under load while the daemon is killed, with a real Postfix behind it; the counts are printed.
KILLS = 30
soak-outbox: $(VENV)/dev.done
	@ZEGEL_REQUIRE_SERVERS=1 ZEGEL_KILLS=$(KILLS) $(BIN)/python -m pytest tests/system/test_outbox_kill.py
# Ends by itself; the first message that is not as it must be ends it with exit status 1.
MINUTES = 30
RATE = 50
soak: soak-outbox
	@PYTHONPATH=tests $(BIN)/python -m soak.rotation --minutes $(MINUTES) --rate $(RATE) $(if $(POSTFIX),--postfix)

interop: $(VENV)/dev.done
	@ZEGEL_REQUIRE_SERVERS=1 ZEGEL_WRITE_PAGES=1 $(BIN)/python -m pytest tests/interop $(ARGS)

bench: $(VENV)/dev.done
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(SHORT),--short) $(ARGS)

bench-memory: $(VENV)/dev.done
	@$(BIN)/python -m bench.memory $(ARGS)

bench-records: $(VENV)/dev.done
	@$(BIN)/python -m bench.records $(ARGS)

# Nothing is fetched; a warning is an error.
docs: $(VENV)/dev.done
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -d build/doctrees docs build/docs
	@echo "The pages are in build/docs/index.html"

pages: $(VENV)/dev.done
	@$(BIN)/python -m docs.writers

standards: $(VENV)/dev.done
	@$(BIN)/python -m rfc --write

dist: $(VENV)/run.done
	@rm -rf dist
	@$(BIN)/hatchling build -d dist

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --group dev pyproject.toml -c requirements/run.txt -o requirements/dev.txt
	printf "hatchling\neditables\n" | uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q - -c requirements/dev.txt -o requirements/build.txt

# Collects the sentences that people read, and compiles the catalogues (Debian: apt-get install gettext).
LOCALE := src/zegel/locale
words:
	@mkdir -p $(LOCALE)
	find src/zegel -name '*.py' | LC_ALL=C sort | LC_ALL=C.UTF-8 xgettext --language=Python --from-code=UTF-8 --keyword=_ --keyword=N_ --add-comments=words: \
		--no-location --package-name=zegel --output=$(LOCALE)/zegel.pot --files-from=-
	@sed -i -e 's/charset=CHARSET/charset=UTF-8/' -e '/^"POT-Creation-Date/d' $(LOCALE)/zegel.pot
	@for catalogue in $(LOCALE)/*/LC_MESSAGES/zegel.po; do \
		if test -f "$$catalogue"; then msgmerge --quiet --no-fuzzy-matching --update --backup=none "$$catalogue" $(LOCALE)/zegel.pot && \
		msgfmt --check --output-file="$${catalogue%.po}.mo" "$$catalogue" || exit 1; fi; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
