"""The floating-point operations of batches, by the formulas of docs/scaling.md; time is proportional to them."""

from dataclasses import dataclass

from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks, frozen_blocks
from utils.errors import UserError

# Operations per token and number of a matrix: forward, with the gradients of inputs, and with those of the matrix too.
FORWARD, INPUTS_ALONE, WITH_BACKWARD = 2, 4, 6


@dataclass(frozen=True)
class Arithmetic:
    """The sizes that determine a model's arithmetic: numbers in frozen and in trained blocks, their counts, the head.

    `held` are the frozen numbers in trained blocks, beside which adapters are.
    """

    frozen: int
    frozen_blocks: int
    trained: int
    held: int
    trained_blocks: int
    head: int  # numbers in the matrix that writes tokens; 0 of a classifier
    head_trains: bool
    width: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Arithmetic":
        """Count a model whose parameters are frozen as they are to be."""
        head = model.get_output_embeddings()
        try:
            blocks, below = find_blocks(model).blocks, frozen_blocks(model)
        except UserError:  # its blocks cannot be found, so that all of it trains
            blocks, below = [model], []
        sizes = [sum(parameter.numel() for parameter in block.parameters()) for block in blocks]
        above = [parameter for block in blocks[len(below) :] for parameter in block.parameters()]
        return cls(
            frozen=sum(sizes[: len(below)]),
            frozen_blocks=len(below),
            trained=sum(parameter.numel() for parameter in above if parameter.requires_grad),
            held=sum(parameter.numel() for parameter in above if not parameter.requires_grad),
            trained_blocks=len(blocks) - len(below),
            head=0 if head is None else head.weight.numel(),
            head_trains=head is not None and head.weight.requires_grad,
            width=model.config.get_text_config().hidden_size,
        )

    def step(self, padded: int, length: int, supervised: int, *, cached: bool) -> float:
        """Return the operations to learn from a batch of `padded` tokens, in rows of `length`."""
        below = 0 if cached else self.below(padded, length)
        numbers = WITH_BACKWARD * self.trained + INPUTS_ALONE * self.held
        above = padded * (numbers + 12 * length * self.width * self.trained_blocks)
        return below + above + supervised * self.head * (6 if self.head_trains else 4)

    def validation(self, padded: int, length: int, supervised: int, *, cached: bool) -> float:
        """Return the operations to score a batch."""
        below = 0 if cached else self.below(padded, length)
        above = padded * (FORWARD * (self.trained + self.held) + 4 * length * self.width * self.trained_blocks)
        return below + above + FORWARD * supervised * self.head

    def below(self, padded: int, length: int) -> float:
        """Return the operations of the frozen blocks below the trained ones, which a prefix cache saves."""
        return padded * (FORWARD * self.frozen + 4 * length * self.width * self.frozen_blocks)
