# The shipped adapter sets "grid": from raw clips to sets, table and pictures.
GRID ?= ../shared/data/grid
TRAIN = $(BIN)/mcgurk train configs/avsr
SCENARIO = $(TRAIN)/grid_scenario.yaml

.PHONY: avsr grid

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
	$(BIN)/mcgurk prepare grid $(GRID) -o $(AVSR)/grid

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
	$(BIN)/mcgurk sets collect configs/avsr/grid_collection.yaml -o $(@D)
