"""The gradient of an embedding that is the head, too: only the rows of the batch's tokens are added to the head's.

PyTorch would make a second gradient as large as the vocabulary at every step, with zeros for all other tokens, and add
it to the first.

Without it: nothing else changes; the sums are the same in another order.
"""

import contextlib
from collections.abc import Iterator

import torch
from transformers import PreTrainedModel

from utils import distributed


@contextlib.contextmanager
def sparse_embedding_gradient(model: PreTrainedModel) -> Iterator[None]:
    """Within the context, an embedding on a CPU that trains as the head, too, has a sparse gradient.

    Its sum with the head's, which the optimizer gets, is dense. Several processes would exchange the sparse one alone.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    weight = embedding.weight
    is_head = type(embedding) is torch.nn.Embedding and head is not None and head.weight is weight
    alone_on_cpu = weight.device.type == "cpu" and distributed.world_size() == 1
    if not (is_head and weight.requires_grad and alone_on_cpu):
        yield
        return
    embedding.sparse = True
    try:
        yield
    finally:
        embedding.sparse = False
