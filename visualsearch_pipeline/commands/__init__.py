"""The commands: options and help in the modules named `*_commands`, what they do and show in the others."""
