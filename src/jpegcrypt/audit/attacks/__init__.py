"""One attack a module; each says what the attacker has, what is measured, and what chance gives."""
