# The study of all methods on spoken digits, and its page.
.PHONY: sounds

# All methods on spoken digits, and their page: about two hours on one core.
sounds: .venv/.offline
	$(BIN)/mcgurk train configs/audio_classification/fsdd_study.yaml -o build/audio_classification/fsdd_study
	$(BIN)/python -m tools.publish_sounds
