"""Pictures of samples from mixtures of Gaussians."""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def draw_samples(samples, centers, edge, title, path):
    """Writes a picture of samples over the centers of a mixture, up to `edge` from the origin."""
    figure, axes = pyplot.subplots(figsize=(4, 4))
    axes.scatter(*samples[:5000].T, s=2, alpha=0.3, label="samples")
    axes.scatter(*centers.T, s=40, marker="x", color="black", label="modes")
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal", title=title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)
