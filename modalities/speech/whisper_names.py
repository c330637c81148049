"""The names of Whisper models that need no path."""

WHISPERS: dict[str, str] = {
    "whisper-tiny.en": "openai/whisper-tiny.en",  # also in the offline wheel
    "whisper-tiny": "openai/whisper-tiny",
    "whisper-base.en": "openai/whisper-base.en",
    "whisper-base": "openai/whisper-base",
    "whisper-small.en": "openai/whisper-small.en",
    "whisper-small": "openai/whisper-small",
    "whisper-medium.en": "openai/whisper-medium.en",
    "whisper-medium": "openai/whisper-medium",
    "whisper-large": "openai/whisper-large",
    "whisper-large-v2": "openai/whisper-large-v2",
    "whisper-large-v3": "openai/whisper-large-v3",
    "whisper-large-v3-turbo": "openai/whisper-large-v3-turbo",
    "distil-whisper-small.en": "distil-whisper/distil-small.en",
    "distil-whisper-medium.en": "distil-whisper/distil-medium.en",
    "distil-whisper-large-v3": "distil-whisper/distil-large-v3",
}
OFFLINE = "whisper-tiny.en"
OFFLINE_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"  # model.bin
