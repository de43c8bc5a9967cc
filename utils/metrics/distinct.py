"""How varied a set of generated texts is: distinct-1 and distinct-2."""

from itertools import chain, pairwise

import datasets
import evaluate
import regex

_DESCRIPTION = """\
distinct-n: the number of different n-grams over all texts, divided by the number of n-grams; 1.0 means that no n-gram
occurs twice. After Li et al. 2016, who divide by the number of words for distinct-2 as well.
Case is folded. A token is a word with its inner apostrophes, one Chinese or Japanese character, one punctuation mark
or one complete emoji; n-grams don't cross from one text into the next.
The value falls as texts are added, since common words recur: compare only samples with the same number of texts of
about the same length, for instance a model's texts with as many training texts."""
_CITATION = """\
@inproceedings{li-etal-2016-diversity,
  title = {A Diversity-Promoting Objective Function for Neural Conversation Models},
  author = {Li, Jiwei and Galley, Michel and Brockett, Chris and Gao, Jianfeng and Dolan, Bill},
  booktitle = {Proceedings of NAACL-HLT}, year = {2016}, url = {https://aclanthology.org/N16-1014}
}"""
_INPUTS = """
Args:
    predictions: list of texts.
Returns:
    {"distinct_1": float, "distinct_2": float}, each None if the texts have no n-gram of that length.
"""
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}]--{_CJK}]+"
_TOKEN = regex.compile(rf"(?V1){_CJK}|{_LETTERS}(?:['’]{_LETTERS})*|(?!\s)\X")


class Distinct(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def _compute(self, predictions):
        texts = [_TOKEN.findall(text.casefold()) for text in predictions]
        return {
            "distinct_1": _share_distinct(list(chain.from_iterable(texts))),
            "distinct_2": _share_distinct(list(chain.from_iterable(pairwise(tokens) for tokens in texts))),
        }


def _share_distinct(ngrams: list) -> float | None:
    return len(set(ngrams)) / len(ngrams) if ngrams else None
