"""All-pairs distance matrices."""
