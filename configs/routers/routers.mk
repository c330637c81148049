# Routers on noise scenarios. All of it needs the data folder beside the project (../shared/data); what is
# trained on the spoken digits may not be shipped (CC BY-SA).
.PHONY: routers routers-digits routers-switching

# All studies and their page.
routers: routers-digits routers-switching
	$(BIN)/python -m tools.publish_routers

# Spoken digits: an hour and a half on one core. What is there already is not made again.
routers-digits: .venv/.dev
	$(BIN)/python -m tools.routers_rewarded
	$(BIN)/python -m tools.routers_heads
	$(BIN)/python -m tools.routers_entropy
	$(BIN)/python -m tools.routers_growth

# Gates over the shipped sets, on clips of GRID in noise that changes: an hour on one core.
routers-switching: grid
	$(BIN)/python -m tools.routers_switching
