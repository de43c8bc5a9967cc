"""Chats that are written as one text: "Human: … Assistant: …", "### Instruction: … ### Response: …", "[INST] …"."""

import re

# The roles of messages, by their names in lower case.
ROLES = {
    **dict.fromkeys(("system", "developer", "sistema", "système", "система", "系统"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "customer", "client", "patient", "student"), "user"),
    **dict.fromkeys(("usuario", "usuário", "utilisateur", "benutzer", "nutzer", "utente", "gebruiker"), "user"),
    **dict.fromkeys(("пользователь", "用户", "ユーザー"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai", "chatbot", "bing", "bard"), "assistant"),
    **dict.fromkeys(("claude", "gemini", "llm", "agent", "doctor", "therapist", "teacher", "tutor"), "assistant"),
    **dict.fromkeys(("asistente", "assistente", "assistent", "ассистент", "助手", "アシスタント"), "assistant"),
    **dict.fromkeys(("tool", "tools", "function", "observation", "ipython", "environment", "tool_call"), "tool"),
    **dict.fromkeys(("tool_calls", "tool_result", "tool_response", "tool-call", "tool-result", "tool_use"), "tool"),
    **dict.fromkeys(("function_call", "function-call", "function_response", "function response"), "tool"),
}
_SECTIONS = {"instruction": "user", "input": "input", "response": "assistant", "output": "assistant"}
_SECTIONS |= {"[inst]": "user", "[/inst]": "assistant"}
_SPOKEN = "human|user|assistant|ai|bot|chatbot|gpt|chatgpt|system|function response"
# Forms of the beginning of a turn; the first one that a text has counts. Where the second value is true, a text
# may come before the first turn.
_FORMS = (
    (re.compile(r"<\|im_start\|>\s*(\w+)[ \t]*"), False),
    (re.compile(r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>"), False),
    (re.compile(r"<start_of_turn>\s*(\w+)[ \t]*"), False),
    (re.compile(r"<\|(system|user|human|prompter|assistant|tool|observation)\|>"), False),
    (re.compile(r"(\[/?INST\])"), False),
    (re.compile(rf"#{{2,3}} ?({_SPOKEN}):", re.I), True),  # Guanaco's, on one line
    (re.compile(rf"^[ \t]*#{{2,3}} ?({_SPOKEN}|instruction|input|response|output)[ \t]*:?", re.MULTILINE | re.I), True),
    (re.compile(rf"^[ \t]*({_SPOKEN})[ \t]*:", re.MULTILINE | re.I), False),
    (re.compile(r"(?:^|(?<=\s)|(?<=</s>))(USER|ASSISTANT):"), True),  # Vicuna's, on one line
)
_ENDS = re.compile(r"<\|(?:im_end|eot_id|end|endoftext|begin_of_text|end_of_text)\|>|<end_of_turn>|<bos>|<eos>|</?s>")
_LLAMA_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_PREAMBLE = re.compile(r"Below is an? instruction")  # Alpaca's, which the templates write themselves
_LOOKS_OPEN = re.compile(r"(?:\w:|\|>|\]|###\s?\w+|_turn>\s*model|<\|im_start\|>\s*assistant)\s*\Z")


def transcript_turns(text: str, *, open_end: bool) -> list[tuple[str, str]] | None:
    """Return (role, text) of every turn if the whole text is a chat, or else None.

    A chat begins with the user, after a system message if it has one, and the speakers alternate. It ends with an
    answer or, with `open_end`, with the mark of the answer that is to follow. An "input" turn follows a user's.
    """
    if open_end and not _LOOKS_OPEN.search(text[-60:]):
        return None
    found = ((list(form.finditer(text)), may_have_preamble) for form, may_have_preamble in _FORMS)
    marks, may_have_preamble = next((each for each in found if each[0]), ([], False))
    if not marks:
        return None
    turns = []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=True):
        name = mark[1].casefold()
        turns.append((_SECTIONS.get(name) or ROLES.get(name, ""), _ENDS.sub("", text[mark.end() : end]).strip()))
    if before := _ENDS.sub("", text[: marks[0].start()]).strip():
        if not may_have_preamble:
            return None
        if not _PREAMBLE.match(before):
            turns.insert(0, ("system", before))
    if turns[0][0] == "user" and (system := _LLAMA_SYSTEM.match(turns[0][1])):
        turns[:1] = [("system", system[1].strip()), ("user", turns[0][1][system.end() :].strip())]
    return _checked(turns, open_end)


def _checked(turns: list[tuple[str, str]], open_end: bool) -> list[tuple[str, str]] | None:
    spoken = [role for role, _ in turns if role not in ("system", "input")]
    alternate = spoken == ["user", "assistant"] * (len(spoken) // 2)
    if not spoken or spoken[0] != "user" or not (alternate or "tool" in spoken):  # a tool's turns are refused by name
        return None
    if any(role == "system" for role, _ in turns[1:]):
        return None
    answer = turns[-1][1]
    if open_end:
        return None if answer else turns[:-1]
    return turns if answer else None
