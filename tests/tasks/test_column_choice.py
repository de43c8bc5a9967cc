"""The choice of the columns of text and label in real-world tables, by their names and by their cells."""

import itertools
import random

import pytest
from sentences import WORDS

from utils.errors import DataError
from utils.tasks.column_choice import Candidate, choose_label, choose_text
from utils.tasks.reviews import REVIEWS
from utils.tasks.tweets import TWEETS

ROWS = 60


def texts(shortest, longest):
    """Return cells of so many words."""
    choose = random.Random(0)
    return [" ".join(choose.choices(WORDS, k=choose.randint(shortest, longest))) for _ in range(ROWS)]


def recurring(*values):
    return list(itertools.islice(itertools.cycle(values), ROWS))


KINDS = {
    "id": [f"B00{number:05}XK" for number in range(ROWS)],
    "number": [str(number * 37 % 101) for number in range(ROWS)],
    "score": [f"0.{number:03}" for number in range(ROWS)],
    "date": [f"2023-01-{number % 28 + 1:02} 10:{number:02}:00" for number in range(ROWS)],
    "link": [f"https://a.example/{number}" for number in range(ROWS)],
    "name": [f"{WORDS[number % 7]}{WORDS[number % 9]}" for number in range(ROWS)],
    "product": [f"{WORDS[number % 5]} {WORDS[number % 3]} lamp".title() for number in range(ROWS)],
    "title": texts(1, 3),
    "headline": texts(5, 8),
    "text": texts(8, 30),
    "long": texts(60, 120),
    "some": [text if row % 7 == 0 else "" for row, text in enumerate(texts(8, 30))],
    "bit": recurring("0", "1", "1"),
    "zero": recurring("0"),
    "stars": recurring("1", "5", "4", "2", "3"),
    "mood": recurring("positive", "negative", "neutral"),
    "abc": recurring(*"ABC"),
    "topic": recurring(*WORDS[:12]),
    "list": ["[0, 1]"] * ROWS,
    "empty": [""] * ROWS,
}

# name → (columns as "name:kind" with the text's and the label's in the end, unless there is none)
REVIEW_TABLES = {
    "numbers called reviews": "reviews:number,category:abc,rating:bit,text:text -> text, rating",
    "SemEval stance": "ID:number,Target:topic,Tweet:text,Stance:mood -> Tweet, Stance",
    "Flipkart": "ProductName:product,Price:number,Rate:stars,Review:title,Summary:text,Sentiment:mood"
    " -> Summary, Sentiment",
    "Amazon": "reviewerID:id,asin:id,reviewerName:name,helpful:list,reviewText:long,overall:stars,summary:title,"
    "unixReviewTime:number,reviewTime:date -> reviewText, overall",
    "Amazon fine food": "Id:number,ProductId:id,UserId:id,ProfileName:name,HelpfulnessNumerator:bit,"
    "HelpfulnessDenominator:stars,Score:stars,Time:number,Summary:title,Text:long -> Text, Score",
    "Amazon on the Hub": "rating:stars,title:title,text:text,images:list,asin:id,parent_asin:id,user_id:id,"
    "timestamp:number,helpful_vote:bit,verified_purchase:bit -> text, rating",
    "IMDB": "review:long,sentiment:mood -> review, sentiment",
    "Yelp": "review_id:id,user_id:id,business_id:id,stars:stars,useful:bit,funny:bit,cool:bit,text:long,date:date"
    " -> text, stars",
    "Google Play": "reviewId:id,userName:product,userImage:link,content:text,score:stars,thumbsUpCount:bit,"
    "reviewCreatedVersion:number,at:date,replyContent:long,repliedAt:date -> content, score",
    "App Store": "id:number,userName:name,title:title,review:text,rating:stars,isEdited:bit,developerResponse:some"
    " -> review, rating",
    "hate speech": ":number,count:stars,hate_speech:bit,offensive_language:stars,neither:stars,class:bit,tweet:text"
    " -> tweet, class",
    "women's clothing": ":number,Clothing ID:number,Age:number,Title:title,Review Text:long,Rating:stars,"
    "Recommended IND:bit,Positive Feedback Count:number,Division Name:abc,Department Name:topic,Class Name:topic"
    " -> Review Text, Rating",
    "airlines": "tweet_id:number,airline_sentiment:mood,airline_sentiment_confidence:score,negativereason:topic,"
    "negativereason_confidence:score,airline:abc,airline_sentiment_gold:empty,name:name,retweet_count:bit,text:text,"
    "tweet_created:date,tweet_location:product,user_timezone:abc -> text, airline_sentiment",
    "sarcasm": "label:bit,comment:text,author:name,subreddit:topic,score:number,ups:number,downs:zero,date:date,"
    "created_utc:date,parent_comment:text -> comment, label",
    "Jigsaw's scores": "id:number,target:score,comment_text:text,severe_toxicity:score,created_date:date,"
    "rating:mood -> comment_text, rating",
    "tweet extraction": "textID:id,text:text,selected_text:title,sentiment:mood -> text, sentiment",
    "corona": "UserName:number,ScreenName:number,Location:topic,TweetAt:date,OriginalTweet:text,Sentiment:mood"
    " -> OriginalTweet, Sentiment",
    "fake news": "title:headline,text:long,subject:abc,date:date,label:bit -> text, label",
    "spam": "v1:mood,v2:text,:empty,:empty,:empty -> v2, v1",
    "drugs": "uniqueID:number,drugName:topic,condition:topic,review:text,rating:stars,date:date,usefulCount:number"
    " -> review, rating",
    "Steam": "app_id:number,app_name:topic,review_text:text,review_score:bit,review_votes:bit"
    " -> review_text, review_score",
    "Trustpilot": "Date:date,Author:product,Heading:title,Body:text,Rate:number,Location:abc,Rating:stars"
    " -> Body, Rating",
    "TripAdvisor": "Review:long,Rating:stars -> Review, Rating",
    "German": "Datum:date,Titel:title,Kommentar:text,Sterne:stars,Händler:name -> Kommentar, Sterne",
    "German, one word twice": "Produkt:product,Bewertungstext:text,Bewertung:stars -> Bewertungstext, Bewertung",
    "French": "pseudo:name,titre:title,avis:text,note:stars,ville:topic -> avis, note",
    "Spanish": "fecha:date,título:title,Reseña:text,Calificación:stars -> Reseña, Calificación",
    "Portuguese": "id:id,avaliacao_texto:text,nota:stars -> avaliacao_texto, nota",
    "words in names": "Customer Feedback:text,Customer Rating:stars,Branch:topic -> Customer Feedback, Customer Rating",
    "unknown names": "said:text,good:bit,shop:zero -> said, good",
    "a title alone": "headline:headline,clickbait:bit -> headline, clickbait",
}
TWEET_TABLES = {
    "Kaggle": "id:number,text:text,isRetweet:bit,device:topic,favorites:number,date:date -> text",
    "rtweet": "user_id:id,status_id:id,created_at:date,screen_name:name,text:text,source:product,description:text,"
    "quoted_text:some,retweet_text:some,location:product -> text",
    "French candidates": "username:zero,id:number,datetime:date,type:abc,text:text,referenced_tweet_text:some -> text",
    "pandas' own numbers": "0:date,1:number,2:text,3:name -> 2",
    "Airbnb": "listing_id:number,id:number,date:date,reviewer_id:number,reviewer_name:name,comments:text -> comments",
    "survey": "Timestamp:date,How old are you?:number,What did you like most about our service?:text,"
    "Would you come again?:mood -> What did you like most about our service?",
    "Discord": "ID:number,Timestamp:date,Contents:text,Attachments:empty -> Contents",
    "LinkedIn": "Date:date,ShareLink:link,ShareCommentary:text,SharedURL:link,MediaUrl:empty,Visibility:zero"
    " -> ShareCommentary",
    "Facebook page": "Post ID:number,Page name:product,Post message:text,Permalink:link,Likes:number -> Post message",
    "Instagram tool": "shortcode:id,url:link,caption:text,likes:number,owner:name -> caption",
    "YouTube": "author:name,published_at:date,like_count:number,video_title:headline,comment:text -> comment",
    "an empty text column": "text:empty,post body:text -> post body",
    "a constant content": "content:zero,description:text -> description",
    "quotes": "quote:text,author:product -> quote",
    "jokes": "ID:number,Joke:text -> Joke",
    "bytes of a flattened export": "post.uri:link,post.author.handle:name,post.record.text:text,"
    "reply.parent.record.text:long,post.author.description:text -> post.record.text",
}


def columns_of(table):
    pairs = (pair.rsplit(":", 1) for pair in table.split(","))
    return [
        Candidate(name or f"Unnamed: {place}", lambda kind=kind: KINDS[kind])
        for place, (name, kind) in enumerate(pairs)
    ]


def choose(task, columns):
    likely = choose_label(task, columns, needed=False)
    text = choose_text(task, columns, label=likely and likely.name)
    return text, choose_label(task, columns, text=text.name) if task is REVIEWS else None


@pytest.mark.parametrize("table", REVIEW_TABLES.values(), ids=REVIEW_TABLES)
def test_tables_of_labeled_texts(table):
    table, _, chosen = table.partition(" -> ")
    text, label = choose(REVIEWS, columns_of(table))
    assert [text.name, label.name] == chosen.split(", ")


@pytest.mark.parametrize("table", TWEET_TABLES.values(), ids=TWEET_TABLES)
def test_tables_of_texts(table):
    table, _, chosen = table.rpartition(" -> ")
    assert choose_text(TWEETS, columns_of(table)).name == chosen


@pytest.mark.parametrize(
    ("task", "table", "said"),
    [
        (
            REVIEWS,
            "Hotel:topic,Positive_Review:text,Negative_Review:text,Score:stars",
            "'Positive_Review', 'Negative_Re",
        ),
        (
            REVIEWS,
            "id:id,comment_text:text,toxic:bit,obscene:bit,threat:bit",
            "columns 'toxic', 'obscene', 'threat' all",
        ),
        (TWEETS, "instruction:headline,output:long", "no column looks like the text of tweets"),
        (TWEETS, "id:number,name:name,seen:date", "the columns are: 'id', 'name', 'seen'"),
        (TWEETS, "text:number,seen:date", "column 'text' holds numbers"),
        (TWEETS, "Answer A:text,Answer B:text", "texts are in 'Answer A'; 'Answer B'"),
        (TWEETS, "question:text,reply:text", "texts are in 'question'; 'reply'"),
        (TWEETS, "tags:list,id:number", "no column looks like"),
    ],
)
def test_unclear_columns_are_refused_by_name(task, table, said):
    with pytest.raises(DataError) as caught:
        choose(task, columns_of(table))
    assert said in caught.value.problem
    assert "_column" in caught.value.hint


def test_other_columns_that_could_be_meant_are_named():
    text, label = choose(REVIEWS, columns_of("reviews:number,category:abc,rating:bit,text:text,summary:headline"))
    assert (text.name, text.others, label.name, label.others) == ("text", ("summary",), "rating", ("category",))


@pytest.mark.parametrize(
    ("table", "text", "label"),
    [
        ("0:bit,1:number,2:date,3:zero,4:name,5:text", "5", "0"),
        ("0:mood,1:long", "1", "0"),
        ("0:title,1:text,2:stars", "1", "2"),
        ("0:number,1:stars,2:text", "2", "1"),  # "2" has no meaning of its own here
    ],
)
def test_tables_without_names(table, text, label):
    columns = columns_of(table)
    assert choose_label(REVIEWS, columns, has_names=False).name == label
    assert choose_text(REVIEWS, columns, label=label, has_names=False).name == text
