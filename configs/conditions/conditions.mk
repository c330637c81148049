# Studies of conditions on small bases, each a file tools/conditions_NAME.py and a section of docs/conditions.md:
# `make conditions-sizes` (40 minutes of a core, 3 seeds), `conditions-views` (6), `conditions-control` (17), `conditions-pairs` (80).
# Bases and judges are trained first, where there are none: `make conditions-bases`, 12 minutes.
conditions-bases conditions-judges: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*

# What is there already is not trained again.
conditions-sizes conditions-views conditions-control conditions-pairs: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*
	$(BIN)/python -m tools.publish_conditions $*

# Which conditions count: `make conditions-cycle` and `make conditions-routed`, some ten minutes of a core each. Sounds
# that say what is painted: `make conditions-structure` (8 minutes of a core), `make conditions-attributes` (9).
conditions-cycle conditions-routed conditions-structure conditions-attributes: conditions-%: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.conditions_$*
	$(BIN)/python -m tools.publish_conditions $*
