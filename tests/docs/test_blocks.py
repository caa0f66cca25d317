"""No block of the README or of the docs goes unexamined; commands within sentences are checked, too."""

import json
import re
import sys

import pytest
from markdown_it import MarkdownIt
from pages import PAGES, PARSED, ROOT, blocks, check_mention, commands, parse_ds, parse_python, reason_to_parse

from ds_metrics.registry import ENTRY_POINT_GROUP

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = {"python", "sh", "toml", "json", "text", "{toctree}", "{eval-rst}"}  # the last two are Sphinx's
LINES = [words for page in PAGES for kind, text, _ in blocks(page) if kind == "sh" for words in commands(text)]


@pytest.mark.parametrize("page", PAGES)
def test_kinds_are_known_and_data_can_be_read(page):
    for kind, text, line in blocks(page):
        assert kind in KINDS, f"{page}:{line}"
        if kind == "toml":
            tomllib.loads(text)
        if kind == "json":
            json.loads(text)


def test_the_plug_in_names_the_group_that_is_looked_for():
    (text,) = (text for kind, text, _ in blocks("docs/new-metrics.md") if kind == "toml")
    assert list(tomllib.loads(text)["project"]["entry-points"]) == [ENTRY_POINT_GROUP]


def test_what_is_parsed_only_has_a_reason_that_is_needed():
    used = {reason_to_parse(words) for words in LINES if words[0] == "ds"} - {None}
    assert used == set(PARSED)


def test_most_lines_are_run():
    run = [words for words in LINES if words[0] == "ds" and reason_to_parse(words) is None]
    assert len(run) > 40, len(run)


@pytest.mark.parametrize(
    "line", ["ds train psgn data/ run/ --epoch-count 3", "ds eval a.npy --clusters", "ds train psgn"]
)
def test_a_line_that_the_command_refuses_fails(line):
    with pytest.raises(Exception, match=r"No such option|requires an argument|Missing"):
        parse_ds(line.split()[1:])


def test_an_option_that_a_script_does_not_have_fails(capsys):
    with pytest.raises(SystemExit):
        parse_python(["benchmarks/pairwise.py", "--no-such-option"])


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_are_there(page):
    for token in MarkdownIt().enable("table").parse(PAGES[page].read_text("utf-8")):
        for child in token.children or ():
            if child.type == "code_inline":
                check_mention(child.content.split(), page)


@pytest.mark.parametrize("line", ["ds evaluate", "ds eval --metrics", "ds build points --elevation"])
def test_a_command_that_is_not_there_is_found(line):
    with pytest.raises(AssertionError):
        check_mention(line.split(), "nowhere")


def test_links_of_the_readme_lead_somewhere():
    text = PAGES["README.md"].read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    titles = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}
    for link in links:
        if link.startswith("#"):
            assert link[1:] in titles, link
        elif not link.startswith("https://"):
            assert (ROOT / link).is_file(), link
