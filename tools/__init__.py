"""Programs for the work on this project; none of them is installed."""
