"""What a realm should hold, what it holds, and the steps between: pure, no I/O."""
