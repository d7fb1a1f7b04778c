"""Sessions streamed by Sunshine, with stand-ins for what no package registry carries."""
