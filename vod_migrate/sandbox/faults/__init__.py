"""How the sandbox misbehaves: the fault plan and its kinds."""
