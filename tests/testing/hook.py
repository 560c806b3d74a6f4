"""A hook module as it should be."""
