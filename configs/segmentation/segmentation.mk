# The study of VLSM-Adapter's variants on breast ultrasound, and its page.
.PHONY: segmentation

# All rows with three seeds, and their page: about an hour on one core. BUSI has to lie where
# busi_study.yaml says; its pictures are shown beside the results alone.
segmentation: .venv/.dev
	$(BIN)/mcgurk train configs/segmentation/busi_study.yaml -o build/segmentation/busi_study
	$(BIN)/python -m tools.publish_segmentation
