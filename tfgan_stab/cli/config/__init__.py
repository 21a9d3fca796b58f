"""From gin files to settings: one module of this folder alone imports gin."""
