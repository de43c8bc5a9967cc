"""The messages of conversations, as dicts."""


def user(text, given=None):
    return {"role": "user", "content": text} | ({} if given is None else {"input": given})


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}
