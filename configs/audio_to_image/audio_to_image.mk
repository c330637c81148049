# Sounds taken apart, and painted.
AUDIO_TO_IMAGE := build/audio_to_image
.PHONY: separation

# Spoken digits, noise and music, by MixIT alone and by the full loss. Needs the data folder beside the
# project (SOUNDS); what is trained on it may not be shipped (CC BY-SA).
separation: .venv/.dev
	$(BIN)/python -m tools.cut_stretches $(AUDIO_TO_IMAGE)/noise --sounds noise $(SOUNDS)/noise/natural
	$(BIN)/python -m tools.cut_stretches $(AUDIO_TO_IMAGE)/music --sounds music $(SOUNDS)/noise/music
	$(BIN)/python -m tools.train_audio_text configs/audio_to_image/separation_digits.yaml \
		$(AUDIO_TO_IMAGE)/sounds
	$(BIN)/mcgurk train configs/audio_to_image/separation_study.yaml -o $(AUDIO_TO_IMAGE)/separation_study
