"""Where records are kept."""

from .base import Store
from .files import FileStore

__all__ = ["FileStore", "Store"]
