"""What players pay beside their losses."""
