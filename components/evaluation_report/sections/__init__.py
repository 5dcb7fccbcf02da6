"""The sections of the report, a module each. May import what the page draws with, not the page."""
