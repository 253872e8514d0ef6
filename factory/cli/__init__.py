"""The `factory` command, one file a subcommand."""
