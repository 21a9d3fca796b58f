"""The flags of training."""

import dataclasses

from absl import flags

from tfgan_stab.cli.flags.settings import UNSAFE_IMPORTS, Settings, flag

__all__ = ["TrainSettings"]


@dataclasses.dataclass(frozen=True)
class TrainSettings(Settings):
    """What to train, and where.

    Example:
        >>> TrainSettings.parse(["train.py", "--gin_file=run.gin", "--workdir=runs/one"]).resume
        'auto'
    """

    usage = """\
Trains a GAN as gin files describe.

  {program} --gin_file=gin_configs/runs/digits.gin --workdir=runs/digits

With --dry_run it says what that would take: memory, time, field evaluations.
"""
    example = "--gin_file={}"

    gin_file: tuple[str, ...] = flag(
        flags.DEFINE_multi_string,
        (),
        "A gin file, from the working folder or from gin_configs/. Later ones override earlier.",
        missing="it says what to train. Try --gin_file=gin_configs/runs/digits.gin.",
    )
    gin_param: tuple[str, ...] = flag(
        flags.DEFINE_multi_string, (), "A setting, such as 'epochs = 3'. Overrides all files."
    )
    gin_unsafe_imports: bool = flag(flags.DEFINE_bool, False, UNSAFE_IMPORTS)
    deterministic: bool = flag(
        flags.DEFINE_bool,
        False,
        "Use operations that give the same bits in each run, on GPUs too: slower. The same as "
        "--gin_param='tgs.train.deterministic = True'.",
    )
    profile: int = flag(
        flags.DEFINE_integer,
        0,
        "Profile so many steps: a trace for TensorBoard, and a table of the costliest operations, "
        "in the workdir's folder `profile`. 0 profiles none.",
        lower_bound=0,
    )
    workdir: str = flag(
        flags.DEFINE_string,
        "",
        "The folder of this run: settings, scores, samples, checkpoints, the trained "
        "generator. Must be given, unless --dry_run is.",
    )
    resume: str = flag(
        flags.DEFINE_enum,
        "auto",
        "auto: continue the run in the workdir if there is one; never: refuse such a workdir; "
        "must: refuse a workdir without a checkpoint.",
        enum_values=("auto", "never", "must"),
    )

    distribution: str = flag(
        flags.DEFINE_enum,
        "none",
        "none: one device; mirrored: all GPUs of this machine; multi_worker: the processes that "
        "TF_CONFIG names, or those of a Slurm step, each started by the same command; tpu: the one "
        "that TPU_NAME names.",
        enum_values=("none", "mirrored", "multi_worker", "tpu"),
    )
    dry_run: bool = flag(
        flags.DEFINE_bool,
        False,
        "Build everything, take a few steps on made-up examples of the right shape, say what the "
        "whole run would take, and end. No data are opened and nothing is written, into the "
        "workdir neither.",
    )

    def check(self) -> None:
        """Also checks that there is a workdir, unless nothing is to be written."""
        super().check()
        if not self.dry_run:
            if not self.workdir:
                raise flags.Error(
                    "--workdir is missing: it says where to put the run. Try "
                    "--workdir=runs/digits, or --dry_run to write nothing."
                )
            return
        for name in ("profile", "resume", "distribution"):
            if name in self.given:
                raise flags.Error(
                    f"--{name} has no effect: --dry_run trains nothing. Leave one of them out."
                )

    @property
    def gin_settings(self) -> tuple[str, ...]:
        """The settings that flags make, as lines of gin."""
        lines = ["tgs.train.deterministic = True"] if self.deterministic else []
        lines += [f"tgs.train.profile_steps = {self.profile}"] if self.profile else []
        return (*self.gin_param, *lines)
