"""Templates kept in one file each, with a head like that of a letter: the title of the page."""

import os
from email.parser import Parser

from django.template import TemplateDoesNotExist
from django.template.loader import BaseLoader

LETTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "letters")


class Loader(BaseLoader):
    is_usable = True

    def load_template_source(self, name, dirs=None):
        path = os.path.join(LETTERS, name)
        if not os.path.exists(path):
            raise TemplateDoesNotExist(name)
        with open(path) as stream:
            letter = Parser().parse(stream)
        return "<h1>%s</h1>\n%s" % (letter["Subject"], letter.get_payload()), path
