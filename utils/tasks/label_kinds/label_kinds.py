"""The kinds of labels by kind of task. A further one is a file beside scores.py."""

from utils.tasks.kinds import CLASSIFY, MULTILABEL, SCORE
from utils.tasks.label_kinds.classes import CLASSES
from utils.tasks.label_kinds.label_sets import LABEL_SETS
from utils.tasks.label_kinds.scores import SCORES

LABEL_KINDS = {CLASSIFY.name: CLASSES, MULTILABEL.name: LABEL_SETS, SCORE.name: SCORES}
