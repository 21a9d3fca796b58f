"""`python -m tfgan_stab.cli train --flags`: the commands without their scripts."""

from tfgan_stab.cli.main import main

if __name__ == "__main__":
    main()
