"""The common clock: sound, log-mel, Whisper's states, pictures and mouth crops side by side.

All are counted from 0 at the same instant, and one picture lasts as long as two states, four
frames of log-mel and 640 samples: a number of one kind gives that of another by these constants
alone. This module imports nothing, so that every other one may import it at no cost.
"""

RATE_HZ = 16_000  # samples of sound per second, one channel
VIDEO_RATE_HZ = 25  # pictures per second, of whatever rate the video was
CROP_SIDE = 96  # pixels of a mouth crop, which is square

SAMPLES_PER_PICTURE = RATE_HZ // VIDEO_RATE_HZ  # 640
MEL_HOP_SAMPLES = 160  # of Whisper's log-mel and of Kaldi's filterbank: 100 frames per second
SAMPLES_PER_STATE = 2 * MEL_HOP_SAMPLES  # 320: Whisper's encoder halves the frames
MEL_FRAMES_PER_PICTURE = SAMPLES_PER_PICTURE // MEL_HOP_SAMPLES  # 4
STATES_PER_PICTURE = SAMPLES_PER_PICTURE // SAMPLES_PER_STATE  # 2

WHISPER_WINDOW_S = 30  # what a frozen Whisper hears at once; what is shorter is padded
WHISPER_WINDOW_SAMPLES = WHISPER_WINDOW_S * RATE_HZ  # 480,000

PIECE_PICTURES = 80  # what an adapter set hears and sees at once, 3.2 s
PIECE_SAMPLES = PIECE_PICTURES * SAMPLES_PER_PICTURE  # 51,200
PIECE_MEL_FRAMES = PIECE_SAMPLES // MEL_HOP_SAMPLES  # 320
PIECE_STATES = PIECE_SAMPLES // SAMPLES_PER_STATE  # 160
