"""The published data sets whose annotations are JSON files of video instance segmentation, and how they are known."""

from __future__ import annotations

from datagen.readers.annotated_set import AnnotatedSet

__all__ = ["SETS", "YOUTUBE_VIS_NAMES", "set_of"]

_NAMES_2019 = (
    "person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck cat cow fish train horse "
    "turtle bear motorbike giraffe leopard fox deer owl surfboard airplane truck zebra tiger elephant snowboard boat "
    "shark mouse frog eagle earless_seal tennis_racket"
)
YOUTUBE_VIS_NAMES = dict(enumerate(_NAMES_2019.split(), start=1))
"""The categories of YouTube-VIS 2019."""

_NAMES_2021 = (
    "airplane bear bird boat car cat cow deer dog duck earless_seal elephant fish flying_disc fox frog giant_panda "
    "giraffe horse leopard lizard monkey motorbike mouse parrot person rabbit shark skateboard snake snowboard "
    "squirrel surfboard tennis_racket tiger train truck turtle whale zebra"
)
_YOUTUBE_VIS_2021_NAMES = dict(enumerate(_NAMES_2021.split(), start=1))

_LV_VIS_CATEGORIES = 1196

_YOUTUBE_VIS = AnnotatedSet(
    id="youtube-vis",
    name="YouTube-VIS 2019 (annotations of YouTube-VOS)",
    url="https://youtube-vos.org/dataset/vis/",
    licence="CC BY 4.0",
    citation="L. Yang, Y. Fan, N. Xu: Video Instance Segmentation. ICCV 2019.",
    frames_per_second=6,
    how_to_get=(
        "Register at https://youtube-vos.org/dataset/vis/, accept the terms, and take train.json of the 2019 "
        "annotations; the videos are not needed."
    ),
)
_YOUTUBE_VIS_2021 = AnnotatedSet(
    id="youtube-vis-2021",
    name="YouTube-VIS 2021 and 2022",
    url="https://youtube-vos.org/dataset/vis/",
    licence="CC BY 4.0",
    citation="L. Yang, Y. Fan, N. Xu: Video Instance Segmentation. ICCV 2019.",
    frames_per_second=6,
    how_to_get=(
        "Register at https://youtube-vos.org/dataset/vis/, accept the terms, and take train/instances.json of the 2021 "
        "or 2022 annotations; the videos are not needed."
    ),
)
_OVIS = AnnotatedSet(
    id="ovis",
    name="OVIS",
    url="https://songbai.site/ovis/",
    licence="CC BY-NC-SA 4.0",
    citation="J. Qi et al.: Occluded Video Instance Segmentation: A Benchmark. IJCV 2022.",
    frames_per_second=None,  # 3 to 6
    how_to_get="Register at https://songbai.site/ovis/, accept the terms, and take annotations_train.json.",
)
_UVO = AnnotatedSet(
    id="uvo",
    name="UVO (dense)",
    url="https://sites.google.com/view/unidentified-video-object/",
    licence="CC BY 4.0",
    citation="W. Wang, M. Feiszli, H. Wang, D. Tran: Unidentified Video Objects. ICCV 2021.",
    frames_per_second=30,
    how_to_get=(
        "Open https://sites.google.com/view/unidentified-video-object/dataset, and take the dense annotations "
        "(UVO_video_train_dense.json), not those with interpolation."
    ),
)
_LV_VIS = AnnotatedSet(
    id="lv-vis",
    name="LV-VIS",
    url="https://github.com/haochenheheda/LVVIS",
    licence="that of the repository",
    citation="H. Wang et al.: Towards Open-Vocabulary Video Instance Segmentation. ICCV 2023.",
    frames_per_second=None,
    how_to_get="Follow https://github.com/haochenheheda/LVVIS to the annotations, and take train_instances.json.",
)
SETS = (_YOUTUBE_VIS, _YOUTUBE_VIS_2021, _OVIS, _UVO, _LV_VIS)


def set_of(description: str, stem: str, category_names: dict[int, str]) -> AnnotatedSet | None:
    """Tell the data set of a file.

    Parameters
    ----------
    description : str
        What the file says of itself (``info.description``).
    stem : str
        Its name without suffix.
    category_names : dict of int to str
        Its categories.

    Returns
    -------
    AnnotatedSet or None
    """
    described = description.casefold()
    if described == "ovis":
        return _OVIS
    if described == "uvo" or stem.startswith("UVO_"):  # all its files are named so
        return _UVO
    if described in ("lv-vis", "lvvis") or len(category_names) == _LV_VIS_CATEGORIES:
        return _LV_VIS
    if category_names == YOUTUBE_VIS_NAMES:
        return _YOUTUBE_VIS
    return _YOUTUBE_VIS_2021 if category_names == _YOUTUBE_VIS_2021_NAMES else None
