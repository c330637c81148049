# Routers on noise scenarios. All of it needs the data folder beside the project (../shared/data); what is
# trained on the spoken digits may not be shipped (CC BY-SA).
.PHONY: routers routers-digits

# All studies and their page.
routers: routers-digits
	$(BIN)/python -m tools.publish_routers

# Spoken digits: an hour and a half on one core. What is there already is not made again.
routers-digits: .venv/.dev
	$(BIN)/python -m tools.routers_rewarded
	$(BIN)/python -m tools.routers_heads
	$(BIN)/python -m tools.routers_entropy
