"""What an adapter method must offer, the places it can live in, and the switch that turns it on."""
