from modalities.speech.timed_text import TimedText, Word, shift


def test_words_move_with_their_text_and_stay_as_they_are_written():
    text = TimedText(0.5, 2.0, " Good day", (Word(0.5, 1.0, " Good"), Word(1.0, 2.0, " day")))
    moved = shift(text, 30.0)
    assert moved == TimedText(
        30.5, 32.0, " Good day", (Word(30.5, 31.0, " Good"), Word(31.0, 32.0, " day"))
    )
    assert shift(moved, -30.0) == text


def test_text_without_words_moves_too():
    assert shift(TimedText(0.0, 1.0, "Good"), 0.25) == TimedText(0.25, 1.25, "Good")
