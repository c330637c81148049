# The study of VLSM-Adapter's variants on breast ultrasound, and its page.
.PHONY: segmentation

# All rows with three seeds, and their page: about two hours on one core. BUSI has to lie where
# busi_study.yaml says; its pictures are shown beside the results alone.
segmentation: .venv/.dev
	$(BIN)/mcgurk train configs/segmentation/busi_study.yaml -o build/segmentation/busi_study
	$(BIN)/python -m tools.publish_segmentation

# The small model "scenes" and the adapters on it that come with mcgurk, from rendered pictures alone: about
# two hours on one core. Weights differ a little from processor to processor.
SCENES := build/segmentation
.PHONY: segmentation-weights
segmentation-weights: .venv/.dev
	$(BIN)/python -m tools.render_scenes $(SCENES)/scenes --count 9000 --seed 1 --size 160
	$(BIN)/mcgurk train configs/segmentation/scenes_see.yaml -o $(SCENES)/scenes_see
	$(BIN)/python -m tools.export_clipseg $(SCENES)/scenes_see $(SCENES)/seen
	$(BIN)/python -m tools.render_scenes $(SCENES)/asked --count 9000 --seed 2 --size 160 --absent 0.35 \
		--prompts 6
	$(BIN)/mcgurk train configs/segmentation/scenes_read.yaml -o $(SCENES)/scenes_read
	$(BIN)/python -m tools.export_clipseg $(SCENES)/scenes_read $(SCENES)/read
	$(BIN)/python -m tools.render_scenes $(SCENES)/more --count 12000 --seed 3 --size 160 --absent 0.15 \
		--prompts 6
	$(BIN)/mcgurk train configs/segmentation/scenes_more.yaml -o $(SCENES)/scenes_more
	$(BIN)/python -m tools.export_clipseg $(SCENES)/scenes_more modalities/vision_language/weights/scenes \
		--half
	$(BIN)/python -m tools.render_scenes $(SCENES)/phantoms --count 400 --seed 7 --size 160 --look ultrasound
	for name in da_vl sa_vlc; do $(BIN)/mcgurk train configs/segmentation/phantoms_$$name.yaml \
		-o $(SCENES)/phantoms_$$name || exit 1; done
