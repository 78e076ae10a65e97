"""Languages by name, by code and by tag."""

import pytest

from ser_pipeline.corpora.languages import language_name, language_of_word


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        ("Italienisch", "it"), ("inglese", "en"), ("niemiecki", "de"), ("chinois", "zh"), ("русский", "ru"),
        ("日本語", "ja"), ("Türkçe", "tr"), ("afr", "af"), ("gsw", "gsw"), ("zh_Hans_cn", "zh-Hans-CN"),
        ("Brazilian Portuguese", "pt"), ("English (UK)", "en"), ("unknown", "und"), ("mul", "mul"),
        ("Klingon", None), ("xx", None), ("de1", None), ("German/English", None), ("NA", "und"),
    ],
)  # fmt: skip
def test_languages_are_known_by_names_and_codes(word, tag):
    assert language_of_word(word) == tag


def test_tags_have_names():
    assert [language_name(tag) for tag in ("fa", "en-GB", "xx")] == ["Persian", "English (UK)", "xx"]
