"""One service for many users: what it asks each user's own side, and how."""
