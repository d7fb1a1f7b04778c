"""All tests in one tree; real services wherever there is one to be had."""
