"""A Modelfile, from which `ollama create` makes a model: the .gguf file, the template in Go's syntax, the settings."""

import logging
from collections.abc import Mapping
from string import Template
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.models.chat_templates import ChatTemplate, open_chat_template
from utils.tasks.kinds import INSTRUCT

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained

log = logging.getLogger(__name__)
# Ollama's names of what run.json says about sampling (docs/modelfile.mdx in its repository).
PARAMETERS = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "max_new_tokens": "num_predict"}
_TURNS = '{{ if eq .Role "user" }}{{ .Content }}$to_answer{{ else if eq .Role "assistant" }}{{ .Content }}$to_next'
_CHAT = Template("$head{{ range .Messages }}" + _TURNS + "{{ end }}{{ end }}")
_CHAT_WITH_SYSTEM = Template(
    '{{ if ne (index .Messages 0).Role "system" }}$head{{ end }}{{ range .Messages }}'
    + _TURNS
    + "{{ else }}$before_system{{ .Content }}$after_system{{ end }}{{ end }}"
)
_FIRST, _ANSWER, _SECOND, _SYSTEM = (f"\ue010{number}\ue011" for number in range(4))  # no template has these


def modelfile(gguf_name: str, trained: "Trained") -> str:
    """Return the Modelfile for the .gguf file of this name in the same folder."""
    lines = [f"FROM ./{gguf_name}"]
    if template := _template(trained):
        lines.append(f'TEMPLATE """{template}"""')
    sampling = trained.run.get("sampling", {})
    if not sampling.get("do_sample", True):
        sampling = {"temperature": 0, **sampling}
    lines += [f"PARAMETER {PARAMETERS[name]} {value}" for name, value in sampling.items() if name in PARAMETERS]
    lines.append("PARAMETER repeat_penalty 1.0")  # Ollama's own is above that
    return "\n".join(lines) + "\n"


def _template(trained: "Trained") -> str | None:
    """Return the template of prompts in Go's syntax; None, with a warning, for a chat template that has none."""
    if trained.run["kind"] != INSTRUCT.name:
        return trained.run["template"].replace("{prompt}", "{{ .Prompt }}")
    parts = _parts(open_chat_template(trained.tokenizer))
    if parts is None or any("{{" in part or '"""' in part for part in parts.values()):
        log.warning("warning: Go has no such template as this chat template, so the Modelfile leaves it to Ollama")
        return None
    return (_CHAT_WITH_SYSTEM if "before_system" in parts else _CHAT).substitute(parts)


def _parts(template: ChatTemplate) -> Mapping[str, str] | None:
    """Return the text of a chat template before, between and after the texts; None where that depends on more.

    For example where it leaves out the reasoning in earlier answers.
    """
    first = {"role": "user", "content": _FIRST}
    turns = [first, {"role": "assistant", "content": _ANSWER}, {"role": "user", "content": _SECOND}]
    try:
        head, _, to_answer = template.render([first]).partition(_FIRST)
        to_next = template.render(turns).partition(_ANSWER)[2].partition(_SECOND)[0]
        parts = {"head": head, "to_answer": to_answer, "to_next": to_next}
        chat = f"{_FIRST}{to_answer}{_ANSWER}{to_next}{_SECOND}{to_answer}"
        same = template.render(turns) == head + chat
        if template.has_system:
            with_system = template.render([{"role": "system", "content": _SYSTEM}, *turns])
            before, _, rest = with_system.partition(_SYSTEM)
            after = rest.partition(_FIRST)[0]
            parts |= {"before_system": before, "after_system": after}
            same = same and with_system == before + _SYSTEM + after + chat
    except DataError:  # it refuses such a conversation
        return None
    return parts if same else None
