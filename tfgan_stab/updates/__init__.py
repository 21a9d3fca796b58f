"""How the players move: update schemes. An update scheme is an integrator of the game's field."""
