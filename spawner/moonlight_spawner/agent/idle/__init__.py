"""Whether anybody uses the desktop, and its end where nobody does: the site's word, and the user's."""

from .watch import IdleWatch

__all__ = ["IdleWatch"]
