# The study of ways to tune a vision-and-language model, and its page.
VL := build/vision_language
.PHONY: vision-language vision-language-weights

# All rows with three seeds, and their page.
vision-language: .venv/.dev
	$(BIN)/python -m tools.render_questions $(VL)/unseen --count 3000 --seed 2 --look unseen --size 160
	$(BIN)/mcgurk train configs/vision_language/scenes_study.yaml -o $(VL)/scenes_study
	$(BIN)/python -m tools.publish_vision_language

# The small frozen model "scenes", what sees for it, and the adapter on it that comes with mcgurk, from
# rendered pictures alone: about four hours on two cores. Weights differ a little from processor to processor.
WEIGHTS := modalities/vision_language/weights
vision-language-weights: .venv/.dev
	$(BIN)/python -m tools.train_shapes $(VL)/shapes --steps 2000
	for file in model.safetensors config.json preprocessor_config.json README.md; do cp $(VL)/shapes/$$file \
		$(WEIGHTS)/shapes/ || exit 1; done
	$(BIN)/python -m tools.render_questions $(VL)/seen --count 20000 --seed 1 --look seen --size 160
	$(BIN)/python -m tools.render_questions $(VL)/seen_more --count 30000 --seed 3 --look seen --size 160
	$(BIN)/python -m tools.render_questions $(VL)/unseen --count 3000 --seed 2 --look unseen --size 160
	$(BIN)/python -m tools.write_word_lists $(VL)/words --count 20000
	$(BIN)/python -m tools.write_word_lists $(VL)/texts --count 20000 --texts 150000
	$(BIN)/python -m tools.start_vision_language $(VL)/start
	$(BIN)/mcgurk train configs/vision_language/scenes_first.yaml -o $(VL)/scenes_first
	$(BIN)/python -m tools.export_vision_language $(VL)/scenes_first $(VL)/scenes_first_model
	$(BIN)/mcgurk train configs/vision_language/scenes.yaml -o $(VL)/scenes
	$(BIN)/python -m tools.export_vision_language $(VL)/scenes $(VL)/scenes_second_model --half
	$(BIN)/mcgurk train configs/vision_language/scenes_more.yaml -o $(VL)/scenes_more
	$(BIN)/python -m tools.export_vision_language $(VL)/scenes_more $(VL)/scenes_third_model --half
	$(BIN)/mcgurk train configs/vision_language/scenes_read.yaml -o $(VL)/scenes_read
	$(BIN)/python -m tools.export_vision_language $(VL)/scenes_read $(WEIGHTS)/vl_scenes --half
	$(BIN)/mcgurk train configs/vision_language/scenes_shared.yaml -o $(VL)/scenes_shared
	$(BIN)/mcgurk evaluate $(VL)/scenes_shared --questions $(VL)/unseen --part test \
		-o $(VL)/scenes_shared_unseen
	$(BIN)/python -m tools.export_answerer $(VL)/scenes_shared tasks/vision_language/weights/scenes --half \
		--evaluation $(VL)/scenes_shared_unseen

# The frozen model "scenes" about sounds: needs the data folder beside the project. What is trained on it may
# not be shipped (CC BY-SA, CC BY-NC).
SOUNDS := ../shared/data
.PHONY: sound-questions
sound-questions: .venv/.dev
	$(BIN)/python -m tools.render_sound_questions $(VL)/sounds --count 4000 --seed 1 \
		--digits $(SOUNDS)/fsdd --animals $(SOUNDS)/noise/natural $(SOUNDS)/esc50 $(SOUNDS)/audio_image
	$(BIN)/mcgurk train configs/vision_language/sound_questions.yaml -o $(VL)/sound_questions
	$(BIN)/python -m tools.publish_sound_questions

# The whole road on small parts of VQAv2, GQA, NLVR2 and Flickr30k, which are learnt by heart.
FIXTURES ?= ../shared/data/vl
.PHONY: vision-language-fixtures
vision-language-fixtures: .venv/.dev
	$(BIN)/python -m tools.join_fixtures $(FIXTURES) $(VL)/fixtures
	$(BIN)/python -m tools.start_vision_language $(VL)/fixtures_start --words $(VL)/fixtures \
		--images scenes
	$(BIN)/mcgurk train configs/vision_language/fixtures.yaml -o $(VL)/fixtures_trained
	$(BIN)/mcgurk evaluate $(VL)/fixtures_trained --part train -o $(VL)/fixtures_scores
