# Sounds taken apart, and painted. All of it needs the data folder beside the project (SOUNDS); what is trained
# on the spoken digits may not be shipped (CC BY-SA).
AUDIO_TO_IMAGE := build/audio_to_image
DIGITS := $(AUDIO_TO_IMAGE)/digits
.PHONY: audio-to-image separation painted-digits

# Both studies and their page: about five hours on one core.
audio-to-image: separation painted-digits
	$(BIN)/python -m tools.publish_audio_to_image

# Spoken digits, noise and music, by MixIT alone and by the full loss.
separation: .venv/.dev
	$(BIN)/python -m tools.cut_stretches $(AUDIO_TO_IMAGE)/noise --sounds noise $(SOUNDS)/noise/natural
	$(BIN)/python -m tools.cut_stretches $(AUDIO_TO_IMAGE)/music --sounds music $(SOUNDS)/noise/music
	$(BIN)/python -m tools.train_audio_text configs/audio_to_image/separation_digits.yaml \
		$(AUDIO_TO_IMAGE)/sounds
	$(BIN)/mcgurk train configs/audio_to_image/separation_study.yaml -o $(AUDIO_TO_IMAGE)/separation_study

# Spoken digits, one or two at once, to pictures of them; from separated sources and from the whole mixture.
painted-digits: .venv/.dev
	$(BIN)/python -m tools.mix_digits $(DIGITS) --digits $(SOUNDS)/fsdd
	$(BIN)/python -m tools.train_digit_reader $(DIGITS)/reader
	$(BIN)/mcgurk train configs/audio_to_image/separation_two_digits.yaml start="''" loss.split=true loss.most_db=60 \
		loop.steps=5000 -o $(DIGITS)/split
	$(BIN)/mcgurk train configs/audio_to_image/separation_two_digits.yaml -o $(DIGITS)/separator
	$(BIN)/python -m tools.train_audio_text configs/audio_to_image/separation_two_digits.yaml $(DIGITS)/sounds \
		--steps 500 --varied --whisper whisper-tiny.en --separator $(DIGITS)/separator --precision bfloat16
	$(BIN)/mcgurk train configs/audio_to_image/digits_base.yaml -o $(DIGITS)/base
	$(BIN)/mcgurk train configs/audio_to_image/digits_apart.yaml -o $(DIGITS)/apart
	$(BIN)/mcgurk train configs/audio_to_image/digits_whole.yaml -o $(DIGITS)/whole
