"""The settings that say how texts are drawn."""

from dataclasses import dataclass

from utils.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """How the next tokens are chosen. UsageError where the settings contradict each other.

    More than one beam means beam search, which draws nothing. `top_k` 0, `top_p` 1 and `min_p` 0 keep every
    token; `no_repeat_ngram_size` 0 lets every run of tokens recur.
    """

    max_new_tokens: int = 60
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    num_beams: int = 1
    do_sample: bool = True
    num_return_sequences: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 42

    def __post_init__(self):
        if self.draws and self.temperature <= 0:
            raise UsageError(f"temperature {self.temperature:g} is not above 0", "use --greedy for the likeliest text")
        if not 0 <= self.min_p <= 1:
            raise UsageError(f"min_p {self.min_p:g} is no share", "use a number from 0 (keeps all) to 1")
        if self.min_new_tokens > self.max_new_tokens:
            raise UsageError(
                f"min_new_tokens {self.min_new_tokens} is above max_new_tokens {self.max_new_tokens}",
                f"add --max_new_tokens {self.min_new_tokens} or more",
            )
        if "" in self.stop:
            raise UsageError("an empty stop string would end every text at once", "leave that --stop out")
        if self.num_beams > 1 and self.num_return_sequences > self.num_beams:
            raise UsageError(
                f"{self.num_beams} beams cannot give {self.num_return_sequences} texts",
                f"use --num_beams {self.num_return_sequences} or more",
            )
        if not self.draws and self.num_beams == 1 and self.num_return_sequences > 1:
            raise UsageError(
                f"greedy decoding gives one text a prompt, not {self.num_return_sequences}",
                f"leave out --greedy, or add --num_beams {self.num_return_sequences}",
            )

    @property
    def draws(self) -> bool:
        return self.do_sample and self.num_beams == 1
