# The small models "scenes" that come with mcgurk, which take apart and paint sounds: all of it from rendered
# sounds and pictures. About two hours on one core; each training goes on where it was stopped. Weights differ a
# little from processor to processor.
RENDERED := build/audio_to_image/scenes
HEARING := modalities/audio_text/weights/scenes
DENOISING := modalities/diffusion/weights/scenes
PAINTING := tasks/audio_to_image/weights
.PHONY: audio-to-image-weights

audio-to-image-weights: .venv/.dev
	$(BIN)/python -m tools.render_sounds $(RENDERED)/sounds --count 1500 --seed 1 --size 32
	$(BIN)/python -m tools.render_sounds $(RENDERED)/mixtures --count 3000 --seed 2 --size 32 --seconds 3
	$(BIN)/python -m tools.render_sounds $(RENDERED)/pictures --count 8000 --seed 3 --size 32 --seconds 0.5
	$(BIN)/python -m tools.train_audio_text configs/audio_to_image/scenes_separation.yaml $(RENDERED)/ear
	$(BIN)/python -m tools.export_audio_to_image audio_text $(RENDERED)/ear $(HEARING)
	$(BIN)/mcgurk train configs/audio_to_image/scenes_separation.yaml start="''" loss.split=true loss.most_db=60 \
		loop.steps=2000 -o $(RENDERED)/split
	$(BIN)/mcgurk train configs/audio_to_image/scenes_separation.yaml -o $(RENDERED)/separator
	$(BIN)/python -m tools.export_audio_to_image separator $(RENDERED)/separator $(PAINTING)/separation/scenes
	$(BIN)/mcgurk train configs/audio_to_image/scenes_base.yaml -o $(RENDERED)/base
	$(BIN)/python -m tools.export_audio_to_image denoiser $(RENDERED)/base $(DENOISING)
	$(BIN)/mcgurk train configs/audio_to_image/scenes_apart.yaml -o $(RENDERED)/apart
	$(BIN)/python -m tools.painted_icons $(RENDERED)/painted \
		--count 200 --painter "sources, separated" $(RENDERED)/apart $(RENDERED)/heard_apart
	$(BIN)/python -m tools.export_audio_to_image painter $(RENDERED)/apart $(PAINTING)/painting/scenes \
		--scores $(RENDERED)/painted
	$(MAKE) painting-conditions

# What the painter can be told beside sounds; half an hour of one core.
.PHONY: painting-conditions
painting-conditions: .venv/.dev
	$(BIN)/python -m tools.render_told_sounds $(RENDERED)/told --count 1500 --seed 5
	$(BIN)/python -m tools.render_sounds $(RENDERED)/sizes --count 600 --seed 6 --size 64 --seconds 0.5
	for kind in attributes edges size; do \
		$(BIN)/mcgurk train configs/audio_to_image/scenes_$$kind.yaml -o $(RENDERED)/conditions/$$kind && \
		$(BIN)/python -m tools.export_audio_to_image condition $(RENDERED)/conditions/$$kind \
			$(PAINTING)/painting/scenes/conditions/$$kind || exit 1; \
	done
