"""Taking a mixture of sounds apart: the network, its spectra, and windows over long sounds."""
