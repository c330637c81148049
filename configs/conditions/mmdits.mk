# Conditions on small MM-DiTs that are trained here and frozen: what is there already is not trained again; 70 minutes of a core.
.PHONY: conditions-mmdits

conditions-mmdits: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_mmdits
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_easycontrol
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_unic
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_pka
	$(BIN)/python -m tools.publish_conditions easycontrol unic pka

# Sound and lips of the same moment, on GRID's clips: an hour of a core.
.PHONY: conditions-lips
conditions-lips: grid
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_lips
	$(BIN)/python -m tools.publish_conditions lips
