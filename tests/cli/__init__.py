"""The commands: in this process for what they say, as processes for how they begin and end."""
