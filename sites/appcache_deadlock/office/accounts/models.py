import ConfigParser
import xmlrpclib

from django.db import models


class Account(models.Model):
    name = models.CharField(max_length=80)

    def call(self):
        return xmlrpclib.dumps((self.name,), "account")

    def configured(self, path):
        return ConfigParser.RawConfigParser().read(path)
