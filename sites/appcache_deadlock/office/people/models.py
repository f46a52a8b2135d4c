import calendar
import pprint

from django.db import models


class Person(models.Model):
    name = models.CharField(max_length=80)
    weekday = models.IntegerField(choices=list(enumerate(calendar.day_name)))

    def __unicode__(self):
        return pprint.pformat(self.name)
