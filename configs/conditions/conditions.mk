# Studies of conditions on small bases, each a file tools/conditions_NAME.py and a section of docs/conditions.md:
# `make conditions-sizes` (40 minutes of a core), `conditions-views` (18), `conditions-control` (50), each of 3 seeds, and
# `conditions-pairs` (80, 1 seed).
# Bases and judges are trained first, where there are none: `make conditions-bases`, 12 minutes.
conditions-bases conditions-judges: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*

# What is there already is not trained again.
conditions-sizes conditions-views conditions-control conditions-pairs: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*
	$(BIN)/python -m tools.publish_conditions $*

# Which conditions count: `make conditions-cycle` (half an hour of a core) and `make conditions-routed` (an hour and a half). Sounds
# that say what is painted: `make conditions-structure` (24 minutes of a core), `make conditions-attributes` (36).
conditions-cycle conditions-routed conditions-structure conditions-attributes: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*
	$(BIN)/python -m tools.publish_conditions $*
