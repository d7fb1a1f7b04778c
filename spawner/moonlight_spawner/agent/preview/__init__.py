"""A small picture of the desktop for its owner's list: taken when somebody looks, kept in memory alone."""

from .preview import Preview

__all__ = ["Preview"]
