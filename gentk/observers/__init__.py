"""Observers: what a run prints, logs and draws."""
