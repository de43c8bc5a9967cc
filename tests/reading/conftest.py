"""Fixtures that the tests of readers share."""

import pytest
from frames import checked

from utils.errors import DataError
from utils.reading.read_frame import read_frame


@pytest.fixture
def read(tmp_path):
    """Write `content` to a file called `name` and read it; content is str (as UTF-8) or bytes."""

    def write_and_read(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_frame([path], **options)[0]

    return write_and_read


@pytest.fixture
def fails(read):
    """The DataError of reading; checks that a user can act on it."""

    def failing(name, content, **options):
        with pytest.raises(DataError) as caught:
            read(name, content, **options)
        return checked(caught.value, name)

    return failing
