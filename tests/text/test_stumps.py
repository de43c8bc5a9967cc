"""Text that is removed with links, mentions and hashtags, and text that stays."""

import pytest

from utils.text.cleaning import Cleaning, clean

DEFAULT = Cleaning()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("!! RT @ann: the lamp is bad via @bob", "the lamp is bad"),
        ("so cool RT @bob: the text", "so cool the text"),
        ("Great shot (via @bob) of the sea", "Great shot of the sea"),
        ("Great article via @nytimes on cats", "Great article on cats"),
        ("Nice, H/T: @x! text (cc: @x, @y)", "Nice! text"),
        ("text /cc @x", "text"),
        ("photo by @ann", "photo"),
        ("A new essay by @jo-doe.example.org on old bridges", "A new essay on old bridges"),
        ("thanks @a, @b & @c for all", "thanks for all"),
        ("@a, @b and @c agree", "agree"),
        ("Follow @a, @b, or @c!", "Follow!"),
        ("see ![photo](https://x.fr/a.png) and [this](http://a.b/c).", "see photo and this."),
        ("<https://x.org/a> ok “@bob” ok", "ok ok"),
        ("read more: https://t.co/x", "read more"),
        ("Read here --> https://t.co/x", "Read here"),
        ("@bob: why, @bob, you", "why, you"),
        ("@united - why is it late", "why is it late"),
        ("Wow! @bob, thanks", "Wow! thanks"),
        ("I love @bob's dog", "I love dog"),
        ("“@bob: text here” so true", "“text here” so true"),
        ('"@bob: text here" so true', '"text here" so true'),
        ("(@bob says hi) (he says hi @bob)", "(says hi) (he says hi)"),
        ("listen @ soundcloud.com/ljaymusic. Really", "listen. Really"),
        ("Tonight: @a vs. @b at 8", "Tonight: at 8"),
        ("quote — @bob", "quote"),
        ("a list: https://a.b/c, https://d.e/f and https://g.h/i.", "a list."),
        ("one @a two @b three (via @c) four via @d", "one two three four"),
    ],
)
def test_stumps(text, cleaned):
    assert clean(text, DEFAULT) == cleaned
    assert clean(cleaned, DEFAULT) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('( ) [ ] "" via , & , @bob ok', '( ) [ ] "" via , & , ok'),
        ("Please RT: https://t.co/abc thanks", "Please RT: thanks"),
        ("so sad :/ https://t.co/x", "so sad :/"),
        ("@bob :) hi @bob:) ;-) @bob -_- @bob", ":) hi :) ;-) -_-"),
        ("@united... really? @united -5 degrees", "... really? -5 degrees"),
        ("Merci @ann ! Bravo « ma chère @ann »", "Merci ! Bravo « ma chère »"),
        ('"quoted" @bob "quoted" it\'s @bob \'quoted\'', '"quoted" "quoted" it\'s \'quoted\''),
        ("@bob!!! help", "!!! help"),
        ("Who? @bob?!", "Who??!"),
        ("1.5 @bob .5", "1.5 .5"),
        ("me and @bob went, and so did I", "me and went, and so did I"),
    ],
)
def test_texts_by_people_stay(text, cleaned):
    assert clean(text, DEFAULT) == cleaned


def test_without_removals_nothing_is_a_stump():
    text = 'RT : … via ( ) , & , [photo]( ) cc by "" “ ” : - end :'
    assert clean(text, DEFAULT) == text
