"""From gin files to settings; `gin.py` alone imports gin.

May import nothing of the other packages.
"""
