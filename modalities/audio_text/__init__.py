"""Sound and text in one space: CLAP, and smaller models behind the same contract."""
