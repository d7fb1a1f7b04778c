"""What all rooms exchange: sessions and their records, errors, and files that are nobody else's."""
