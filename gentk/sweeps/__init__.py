"""Sweeps: several runs at one budget, judged alike and compared."""
