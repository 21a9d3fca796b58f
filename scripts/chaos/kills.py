"""Kills a run at random moments until it is done, again and again."""

import collections
import itertools
import random
import time

from small_run import Run, differences, undisturbed, unusable

ANYWHERE = "anywhere"
# Where the kills are aimed at, in turn; some phases are short, and a kill may miss them.
TARGETS = [
    "saving",
    "evaluation",
    "first trace",
    "epoch end",
    ANYWHERE,
    "removing",
    "keeping the best",
    "restoring",
    "logging",
    "exporting",
]
KILLS_OF_A_RUN = 5
UNKNOWN = 0.2  # Seconds of a phase that an undisturbed run does not come by.
LATEST = 3  # A phase is awaited at most so often: most runs come to no more in one life.


class Tally:
    """How often each phase was open when a kill came, and how often that did no harm."""

    def __init__(self):
        self.tried = collections.Counter()
        self.survived = collections.Counter()
        self.differences = []
        self.kills = 0
        self.harmless = 0

    def add(self, hits, found):
        """Notes the kills of a run, and in what it then differs from the undisturbed one."""
        for phases in hits:
            self.tried.update(phases)
            self.survived.update([] if found else phases)
        self.kills += len(hits)
        self.harmless += 0 if found else len(hits)
        self.differences += found

    def lines(self):
        """Yields a line for each phase."""
        for phase, tried in sorted(self.tried.items()):
            yield f"SIGKILL during {phase}: survived {self.survived[phase]} of {tried}"
        yield f"SIGKILL in all: survived {self.harmless} of {self.kills}"


def kill_once(workdir, target, longest, training, moments):
    """Starts the run and kills it; returns the phases that were open then.

    Returns `None` if the run was done before.

    Args:
        workdir: Where it trains.
        target: The phase to hit.
        longest: How long phases take, in seconds.
        training: How long all takes once the run is built, in seconds.
        moments: Random numbers.
    """
    run = Run(workdir)
    if target == ANYWHERE:
        run.wait_for("building", 1)
        delay = moments.uniform(0, longest["building"] + training)
    else:
        once = target in ("first trace", "restoring")
        run.wait_for(target, 1 if once else moments.randint(1, LATEST))
        delay = moments.uniform(0, longest.get(target, UNKNOWN))
    time.sleep(delay)
    return sorted(run.open_phases()) or ["nothing else"] if run.kill() else None


def kill_often(folder, kills, seed, say=print):
    """Kills runs `kills` times in all; returns the tally.

    Args:
        folder: Where all is written.
        kills: How often.
        seed: Decides the moments, as far as the machine's speed does not.
        say: Is told what happens.
    """
    whole = folder / "whole"
    longest, training = undisturbed(whole)
    say(f"undisturbed: {training:.1f} s of training; seed {seed}")
    moments, tally, runs = random.Random(seed), Tally(), 0
    targets = itertools.cycle(TARGETS)
    while tally.kills < kills:
        runs += 1
        workdir, hits, broken = folder / f"run-{runs}", [], []
        while len(hits) < min(KILLS_OF_A_RUN, kills - tally.kills):
            target = next(targets)
            hit = kill_once(workdir, target, longest, training, moments)
            if hit is None:  # It was done: what it has come to is compared all the same.
                break
            say(f"aimed at {target}, hit {', '.join(hit)}")
            hits.append(hit)
            broken += unusable(workdir)
        Run(workdir).finish()
        tally.add(hits, broken + differences(whole, workdir))
        say(f"run {runs} is done: {tally.differences or 'as the undisturbed one'}")
    return tally
