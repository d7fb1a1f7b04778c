"""The portal's door: the same API and page for many users, who come with the portal's tokens."""
