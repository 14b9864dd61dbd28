"""What the terms of reports mean, in a sentence or two each, for readers who are new to them."""

from __future__ import annotations

from collections.abc import Iterable

from datagen.errors import UsageError, shown

__all__ = ["TERMS", "glossary"]

TERMS = {
    "transition": "An object in a frame and in the next one. Its change is the difference of a factor, in pixels.",
    "temporally sparse": "Most changes are small and few are large: the shape of the changes is below 1.",
    "generalised normal": "Also called generalised Laplace (gennorm): densities proportional to exp(-|(x - loc) / "
    "scale|^shape). The Laplace distribution (shape 1) and the normal (shape 2) are two of them.",
    "shape": "The exponent of the generalised normal. The lower it is, the sharper the peak and the heavier the tails: "
    "below 1 heavier than Laplace, 2 is the normal.",
    "gennorm_rounded": "The generalised normal of values known as whole numbers only, such as areas in pixels.",
    "excess kurtosis": "How heavy the tails are: 0 for the normal, 3 for the Laplace distribution, more for heavier "
    "tails. A few large values decide it, so its interval is wide.",
    "skewness": "How uneven the two sides are: 0 where increases and decreases are alike.",
    "share of zeros": "How many changes are exactly 0.",
    "log-likelihood": "How probable the data are under a fit: the higher the better. AIC and BIC count the number of "
    "parameters against it: the lower the better.",
    "Kolmogorov-Smirnov (KS)": "The largest distance between the cumulative distributions of the data and of the fit, "
    "0 to 1, and the p-value of that distance.",
    "mixture of scales": "Objects that each move by a scale of their own look sparse together. Within an object the "
    "scale is taken out; what is still below 1 there is sparse in itself.",
    "autocorrelation": "Of the size of an object's change with that of its next one (or later ones): above 0, large "
    "changes come in runs.",
    "ego-motion": "Motion that all objects of a frame share, as that of the camera.",
    "95 % interval": "A range that holds the true figure for about 95 of 100 data sets drawn as this one was. What is "
    "taken as drawn (objects, sequences or trainings) is named with it.",
    "bootstrap": "Drawing the data again from themselves, whole objects or sequences at a time, to see how much a "
    "figure varies.",
    "Pearson, Spearman": "Correlations from -1 to 1: of values, and of their ranks.",
    "mutual information": "How much one factor says about another, in nats; 0 if nothing.",
    "factor": "What is known of each image, such as the position and size of the object.",
    "latent": "A number that a network computes from an image.",
    "MCC": "Mean correlation coefficient, 0 to 1: latents are assigned to factors one to one so that the absolute "
    "correlations are largest, and these are averaged. Even latents without meaning score above 0: compare with the "
    "floor or the baselines.",
    "assigned latent": "The latent that stands for a factor in the MCC.",
    "baseline": "What a score is compared with: an untrained network (untrained), principal components of the pixels "
    "(pca), the same network without the temporal prior (beta-vae), with pairs whose factors change evenly (uniform), "
    "or on frames in random order (shuffled).",
    "indicative": "Of a single training: others with another seed may differ by more than the interval says.",
    "traversal": "What a network draws when one latent moves through its range and the others stay.",
    "protocol": "All that a score depends on besides the encoder: data, split, samples, assignment. Scores of "
    "different protocols do not compare.",
    "floor, ceiling": "What untrained networks or random latents score, and what the factors themselves score: entries "
    "lie between them.",
}  # fmt: skip
"""Term -> what it means."""


def glossary(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return terms and what they mean.

    Parameters
    ----------
    names : iterable of str
        Of `TERMS`.

    Returns
    -------
    list of tuple of str
        In the order of the names.

    Raises
    ------
    UsageError
        If a term is none of them.

    Examples
    --------
    >>> glossary(["factor"])
    [('factor', 'What is known of each image, such as the position and size of the object.')]
    """
    names = list(names)
    for name in names:
        if name not in TERMS:
            raise UsageError(f"{shown(name)} is no term of the glossary; these are: {', '.join(TERMS)}")
    return [(name, TERMS[name]) for name in names]
