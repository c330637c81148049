# What is sampled in a training and how it is weighted, on points of the plane: half an hour of processor time.
.PHONY: flow-measures

# torchcfm asks for torchdyn, and with it for some fifty packages that it does not import for what is measured here:
# an environment of its own, over the packages of ours.
.venv/.torchcfm: .venv/.dev
	$(PYTHON) -m venv .venv/torchcfm
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> $$(.venv/torchcfm/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/ours.pth
	.venv/torchcfm/bin/python -m pip install --quiet --no-deps torchcfm==1.0.7 POT==0.9.7.post1
	@touch $@

# What is there already is not trained again.
flow-measures: .venv/.torchcfm
	OMP_NUM_THREADS=1 .venv/torchcfm/bin/python -m tools.flow_measures
