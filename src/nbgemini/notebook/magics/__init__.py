"""The magics: options, help, completion, and how a prompt's cell runs."""
