import mailbox
import xml.dom.minidom

from django.db import models


class Letter(models.Model):
    body = models.TextField()

    def as_message(self):
        return mailbox.Message(self.body)

    def as_document(self):
        return xml.dom.minidom.parseString(self.body)
