"""Hostile texts, labels and file names of strangers, and how to put them everywhere."""

SCRIPT = "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
TEXT = f"{SCRIPT}\"'&amp;{{{{ 7 * 7 }}}}\x00\x1b[31m\u202eשלום\u2066😀\u2028\ud83d"
KEPT = {"kind", "split", "device", "precision", "target", "split_by", "data_sha256"}  # what a program reads


def hostile(value: object, key: str = "") -> object:
    """Return JSON values with hostile texts in place of all texts that are shown."""
    if isinstance(value, dict):
        return {name: hostile(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [hostile(one, key) for one in value]
    return TEXT + value if isinstance(value, str) and key not in KEPT else value
