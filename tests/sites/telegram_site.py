"""t.me, for snscrape to run against."""

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from loopback import Answer, Request, Site, page


@dataclass(frozen=True)
class TelegramPost:
    """A post of a channel; without `text` it holds a photo alone."""

    channel: str
    id: int
    date: datetime
    text: str | None = None


def telegram_site(posts: list[TelegramPost]) -> Site:
    """t.me with the channels of `posts` (the list may change while it runs): 20 a page, the page's oldest first."""

    def answer(request: Request) -> Answer:
        listing, _, channel = request.path.strip("/").rpartition("/")
        by_id = {post.id: post for post in posts if post.channel.lower() == channel.lower()}
        if listing != "s":
            return Answer(body=f'<div class="tgme_page_title">{html.escape(channel)}</div>')
        if not by_id:
            return Answer(302, headers={"Location": f"https://t.me/{channel}"})
        ids = page(by_id, 20, int(request.query.get("before") or 10**18))[::-1]
        more = ""
        if ids and ids[0] > min(by_id):
            link = f'href="/s/{channel}?before={ids[0]}" data-before="{ids[0]}"'
            more = f'<a class="tme_messages_more js-messages_more" {link}></a>'
        messages = "".join(_message(by_id[number]) for number in ids)
        return Answer(body=f'<!DOCTYPE html><section class="tgme_channel_history">{more}{messages}</section>')

    return Site(("t.me",), answer, pages="^t.me/s/")


def _message(post: TelegramPost) -> str:
    place = f"{post.channel}/{post.id}"
    content = f'<a class="tgme_widget_message_photo_wrap" href="https://t.me/{place}"></a>'
    if post.text is not None:
        linked = re.sub(r"https?://\S+", r'<a href="\g<0>">\g<0></a>', html.escape(post.text, quote=False))
        lines = linked.replace("\n", "<br/>")
        content = f'<div class="tgme_widget_message_text js-message_text" dir="auto">{lines}</div>'
    moment = post.date.astimezone(UTC).isoformat(timespec="seconds")
    date_link = f'<a class="tgme_widget_message_date" href="https://t.me/{place}"><time datetime="{moment}"></time></a>'
    footer = f'<div class="tgme_widget_message_footer">{date_link}</div>'
    message = f'<div class="tgme_widget_message js-widget_message" data-post="{place}">{content}{footer}</div>'
    return f'<div class="tgme_widget_message_wrap js-widget_message_wrap">{message}</div>'
