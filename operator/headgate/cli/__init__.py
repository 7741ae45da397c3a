"""The command line: one file a command, each thin. Parsing, decisions and effects live in the layers below."""
