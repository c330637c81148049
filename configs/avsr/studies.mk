# What the shipped sets are worth beyond their table: each a section of docs/avsr.md. What is there already is not
# measured again: `make avsr-enrolment` (an hour of a core), `avsr-sources` (25 minutes), `avsr-unknown` (an hour).
.PHONY: avsr-enrolment avsr-sources avsr-unknown

avsr-enrolment: grid
	$(BIN)/python -m tools.enrol_s4 --clips 30 --clips 20 --clips 10 --clips 5

avsr-sources: grid
	$(BIN)/python -m tools.measure_sources

avsr-unknown: grid
	for seed in 0 1 2; do $(BIN)/python -m tools.measure_unknown $(AVSR)/unknown.jsonl --seed $$seed || exit; done
	$(BIN)/python -m tools.publish_unknown
