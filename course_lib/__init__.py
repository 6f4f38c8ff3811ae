"""Companion package of the course on deep network architectures: models, data, training, probes, costs, figures, feedback."""

__version__ = "0.1.0"
