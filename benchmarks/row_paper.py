"""AUROC that the TransTab paper reports (Wang & Sun, NeurIPS 2022), by data set and model: Tables 8 to 12.

Each is the mean of ten seeds, of all rows; how rows and columns were drawn is not published. Of the two halves of
Table 10 this is the mean.
"""

SETS = ("credit-g", "credit-approval", "blastchar", "insurance-co", "1995-income", "adult")


def _by_set(**models: str) -> dict[str, dict[str, float]]:
    """Model → six figures in the order of SETS, as data set → model → figure."""
    columns = {model: [float(figure) for figure in figures.split()] for model, figures in models.items()}
    return {name: {model: column[place] for model, column in columns.items()} for place, name in enumerate(SETS)}


SUPERVISED = _by_set(
    LR=".720 .836 .801 .769 .860 .851",
    XGBoost=".726 .895 .821 .758 .925 .912",
    TransTab=".768 .881 .845 .822 .919 .907",
)
"""Table 8."""
INCREMENTAL = _by_set(
    LR=".670 .773 .806 .655 .825 .832",
    XGBoost=".608 .817 .816 .692 .898 .891",
    TransTab=".741 .879 .841 .739 .897 .894",
)
"""Table 9."""
TRANSFER = _by_set(
    LR=".690 .815 .795 .760 .825 .810",
    XGBoost=".715 .860 .790 .695 .915 .885",
    TransTab=".750 .880 .815 .775 .910 .890",
)
"""Table 10."""
ZERO_SHOT = _by_set(
    supervised=".581 .635 .822 .702 .875 .898",
    transfer=".719 .758 .831 .761 .880 .900",
    TransTab=".685 .721 .804 .742 .874 .892",
)
"""Table 11; ``TransTab`` is zero-shot."""
PRETRAINED = _by_set(
    none=".763 .858 .844 .821 .919 .907",
    self=".777 .837 .843 .823 .919 .907",
    supervised=".776 .858 .844 .819 .919 .907",
)
"""Table 12: without pretraining, Self-VPCL, VPCL."""
