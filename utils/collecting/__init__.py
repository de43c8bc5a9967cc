"""Collecting posts from sites, for `preprocess.py --scrape`: a query goes in, a raw JSON Lines file comes out.

Open `collect.py` first; `mastodon_instances.py` and `snscrape_sites.py` are the two ways to reach a site.
"""
