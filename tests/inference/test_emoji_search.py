"""The trie of targets: prefixes that several targets share, and every target behind its own tokens."""

from utils.inference.emoji_search import TrieNode, build_trie

END = 9


def targets_of(node: TrieNode | int, prefix: tuple[int, ...] = ()) -> dict[int, tuple[int, ...]]:
    """Each target with the tokens in the trie that lead to it."""
    if isinstance(node, int):
        return {node: prefix}
    assert node.prefix[: len(prefix)] == prefix
    found = {}
    for token, child in node.children.items():
        found |= targets_of(child, (*node.prefix, token))
    return found


def test_the_trie_leads_to_targets_alone():
    sequences = [(1, 2, END), (1, END), (3, 4, END)]  # "ab", "a", "cd"
    trie = build_trie(sequences, range(3))
    assert (trie.prefix, sorted(trie.children)) == ((), [1, 3])
    assert (trie.children[1].prefix, trie.children[1].children) == ((1,), {2: 0, END: 1})
    assert trie.children[3] == 2  # one token alone can follow: no node
    assert targets_of(trie) == {0: (1, 2), 1: (1, END), 2: (3,)}


def test_tokens_that_all_targets_share_are_one_node():
    trie = build_trie([(5, 6, 1, END), (5, 6, 2, END), (5, 6, END)], range(3))
    assert trie == TrieNode((5, 6), {1: 0, 2: 1, END: 2})
    assert build_trie([(5, 6, END)], [0]) == 0
