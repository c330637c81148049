# The study of ways to tune a vision-and-language model, and its page.
VL := build/vision_language
.PHONY: vision-language vision-language-weights

# All rows with three seeds, and their page.
vision-language: .venv/.dev
	$(BIN)/python -m tools.render_questions $(VL)/unseen --count 3000 --seed 2 --look unseen --size 160
	$(BIN)/mcgurk train configs/vision_language/scenes_study.yaml -o $(VL)/scenes_study
	$(BIN)/python -m tools.publish_vision_language

# The small frozen model "scenes", from rendered pictures alone. Weights differ a little from processor to
# processor.
vision-language-weights: .venv/.dev
	$(BIN)/python -m tools.train_shapes $(VL)/shapes --steps 2000
	for file in model.safetensors config.json preprocessor_config.json; do cp $(VL)/shapes/$$file \
		modalities/vision_language/weights/shapes/ || exit 1; done
	$(BIN)/python -m tools.render_questions $(VL)/seen --count 8000 --seed 1 --look seen --size 160
	$(BIN)/python -m tools.write_word_lists $(VL)/words --count 20000
	$(BIN)/python -m tools.start_vision_language $(VL)/start
	$(BIN)/mcgurk train configs/vision_language/scenes.yaml -o $(VL)/scenes
	$(BIN)/python -m tools.export_vision_language $(VL)/scenes \
		modalities/vision_language/weights/vl_scenes --half
