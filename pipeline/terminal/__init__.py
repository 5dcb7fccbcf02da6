"""What is printed: tables, progress and errors. Knows no command."""
