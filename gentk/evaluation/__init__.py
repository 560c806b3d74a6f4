"""Evaluation: samples are compared with data, and the protocol is kept with every figure."""
