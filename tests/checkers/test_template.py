"""Templates: what is volatile in right answers is masked, and nothing else is."""

import pytest
from build import ERROR_PAGE, PAGE

from harness.checkers.template import Template

FORM = '<form><input name="csrfmiddlewaretoken" value="{}"><input name="user"></form>'
TOKENS = ["k3J9xQ7mZ2vB8nL5tR1w", "P0aYs6DfG4hJ2kXc9VbN", "mMm1q2W3e4R5t6Y7u8I9"]


def form(token):
    return FORM.format(token)


class TestToken:
    TEMPLATE = Template.of([form(TOKENS[0]), form(TOKENS[1])])

    def test_another(self):
        """A token that no sample had is as right as theirs."""
        assert self.TEMPLATE.matches(form(TOKENS[2]))

    def test_shared_characters(self):
        """Characters in which two tokens happen to agree are masked too: the token is masked whole."""
        template = Template.of([form("abcXXXXXXX"), form("abcYYYYYYY")])

        assert template.matches(form("ZZZZZZZZZZ"))
        assert 1 == template.masks

    def test_rest_of_the_page(self):
        """Beside the token the page must be the same."""
        assert not self.TEMPLATE.matches(form(TOKENS[2]).replace("user", "root"))

    def test_empty(self):
        """No token at all is wrong where every sample had one."""
        assert not self.TEMPLATE.matches(form(""))

    def test_markup_in_its_place(self):
        """A token's mask does not reach over markup."""
        assert not self.TEMPLATE.matches(form("<b>no</b>"))

    def test_far_too_long(self):
        """A token's mask does not take a text many times the length of a token."""
        assert not self.TEMPLATE.matches(form("x" * 1000))


class TestTimeOfDay:
    TEMPLATE = Template.of(["<p>It is 12:01:59 now.</p>", "<p>It is 12:02:03 now.</p>"])

    def test_another(self):
        """Another time of day is right."""
        assert self.TEMPLATE.matches("<p>It is 23:59:00 now.</p>")

    @pytest.mark.parametrize("text", ["<p>It is late now.</p><p>Go home.</p>", "<p>It was 12:01:59 then.</p>"])
    def test_other_words(self, text):
        """Other words around the time are wrong."""
        assert not self.TEMPLATE.matches(text)


class TestInsertion:
    TEMPLATE = Template.of(["<p>Hello.</p>", "<p>Hello.</p><p>A message for you.</p>"])

    @pytest.mark.parametrize("text", ["<p>Hello.</p>", "<p>Hello.</p><p>A message for me.</p>"])
    def test_with_and_without(self, text):
        """What only some samples have may be there or not."""
        assert self.TEMPLATE.matches(text)

    def test_elsewhere(self):
        """It may be there only where it was."""
        assert not self.TEMPLATE.matches("<p>A message for you.</p><p>Hello.</p>")


class TestIdentical:
    def test_same(self):
        """Samples that are all alike match their like, without a mask."""
        template = Template.of([PAGE, PAGE, PAGE])

        assert 0 == template.masks
        assert template.matches(PAGE)

    @pytest.mark.parametrize("text", [PAGE + "\n", PAGE[:-1], PAGE.upper(), "", ERROR_PAGE])
    def test_different(self, text):
        """... and nothing else, not even a line more."""
        assert not Template.of([PAGE, PAGE]).matches(text)

    def test_pattern_characters(self):
        """Characters that mean something in a pattern stand for themselves."""
        template = Template.of(["a.c (1+1)?", "a.c (1+1)?"])

        assert template.matches("a.c (1+1)?")
        assert not template.matches("abc (1+1)?")


class TestErrorPage:
    @pytest.mark.parametrize(
        "samples",
        [
            [form(TOKENS[0]), form(TOKENS[1])],
            ["<p>It is 12:01:59 now.</p>", "<p>It is 12:02:03 now.</p>"],
            ["<p>Hello.</p>", "<p>Hello.</p><p>A message for you.</p>"],
            ["12:01:59", "12:02:03"],
            [PAGE, PAGE.replace("Moby-Dick", "Typee")],
        ],
    )
    @pytest.mark.parametrize("text", [ERROR_PAGE, "Internal Server Error", ""])
    def test_never(self, samples, text):
        """No mask stands for an error page or for nothing at all."""
        assert not Template.of(samples).matches(text)

    @pytest.mark.parametrize(
        ("text", "right"),
        [
            ("<p>My cat sleeps all day.</p>", True),
            ("<p>OperationalError: no such table: books_book</p>", False),
            ("<h1>OperationalError: no such table</h1>", False),
        ],
    )
    def test_whole_body(self, text, right):
        """Bodies that differ in every word do not make a mask that takes a whole different body."""
        template = Template.of(["<p>The whale swam whole nights.</p>", "<p>A monster walked over ice.</p>"])

        assert right == template.matches(text)


class TestSamples:
    @pytest.mark.parametrize(
        "samples",
        [
            ["12:01:59", "12:02:03", "12:02:04"],
            ["a b c", "a z q b c", "a c"],
            ["x", "x and more", "x"],
            ["", "not empty"],
            ["<p>None</p>", "<p>10 items</p>"],
            ["<p>a</p>", "<p>b<i>c</i></p>"],
            ["a1", "b", "a1 b2"],
        ],
        ids=repr,
    )
    def test_each_matches(self, samples):
        """A template matches every sample that it was learnt from: they are all right."""
        template = Template.of(samples)

        assert [True] * len(samples) == [template.matches(each) for each in samples]


class TestDifference:
    def test_both_texts(self):
        """The difference quotes both texts from shortly before they part."""
        told = Template.of([PAGE]).difference(PAGE.replace("Melville", "Shelley"))

        assert told.startswith("expected '")
        expected, got = told.split(", got ")
        assert "Melville" in expected
        assert "Shelley" in got

    def test_shorter(self):
        """A text that ends too early differs where it ends."""
        assert "expected 'abcdef', got 'abc'" == Template.of(["abcdef"]).difference("abc")
