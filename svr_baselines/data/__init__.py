"""Reading, sampling and normalising shapes."""
