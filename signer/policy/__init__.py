"""Pure rules over decoded transactions. Deny by default; unknown means no."""
