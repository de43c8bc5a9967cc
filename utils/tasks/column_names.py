"""Split the names of columns into words, and recognize those that mean a text, a label or neither."""

import re
import unicodedata


def words_of(name: str) -> list[str]:
    """Return the words of a name, without accents and in lower case: "reviewText", "Review_Text" → review, text."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not unicodedata.combining(mark))
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain).casefold().translate(NO_PUNCTUATION).split()


def name_key(name: str) -> str:
    """Return a key that is the same for "reviewText", "Review_Text" and "review text"."""
    return "".join(words_of(name))


def is_foreign(path: str) -> bool:
    """Return whether a name or one of the names in a path belongs to somebody else: quoted_text, reply.root.text."""
    words = words_of(path.removeprefix("_source."))  # Elasticsearch's own name
    return not FOREIGN_WORDS.isdisjoint(words) and words not in OWN_NAMES


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


NO_PUNCTUATION = {ord(mark): " " for mark in r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~¿¡«»“”’"""}
# Words that mean a text ("Customer Feedback", "avis_client"), in several languages.
TEXT_WORDS = _set_of("""
    text texts review reviews comment comments tweet tweets post posts message content contents body sentence feedback
    opinion opinions statement utterance selftext commentary reviewtext
    texte avis commentaire commentaires contenu critique
    kommentar kommentare rezension rezensionen bewertung bewertungstext inhalt nachricht beitrag meinung freitext
    texto resena resenas comentario comentarios mensaje contenido
    testo recensione commento avaliacao mensagem tekst recensie beoordeling
""")
# Words that mean a short text about another one, which is chosen where there is no better one.
TITLE_WORDS = _set_of("""
    title titles headline heading subject summary description caption titel titre titulo titolo uberschrift betreff
    zusammenfassung beschreibung descripcion resumen
""")
# Words for things that belong to something else than the row itself.
FOREIGN_WORDS = _set_of("""
    user users author profile bio account quoted quote retweeted retweet reblog repost reposted referenced reply replies
    parent root embed embeds entities facets card includes source location place attachments response answer developer
    seller reason hashtags mentions labels reactions poll
""")
OWN_NAMES = [["quote"], ["reply"], ["response"], ["answer"], ["reason"]]  # which alone are what the row is about
LABEL_WORDS = _set_of("""
    label labels sentiment stance polarity emotion rating ratings stars star score class category
    klasse kategorie stimmung bewertung sterne note etiquette etoile etoiles polarite classe categorie
    calificacion puntuacion valoracion estrella estrellas sentimiento polaridad clase etiqueta categoria
    voto stelle valutazione estrelas nota sentimento
""")
NO_LABEL_WORDS = _set_of("count counts confidence id ids number num date time votes helpful gold reason by")
