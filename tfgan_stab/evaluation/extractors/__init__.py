"""From images to features: the networks that scores look through.

May import `_utils`, `data` and `evaluation.metrics`.
"""
