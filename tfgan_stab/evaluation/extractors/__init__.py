"""From images to features: the networks that scores look through."""
