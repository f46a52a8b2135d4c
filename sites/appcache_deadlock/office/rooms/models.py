import csv
import fractions

from django.db import models


class Room(models.Model):
    number = models.IntegerField()

    def share(self, people):
        return fractions.Fraction(1, people)

    def save_to(self, stream):
        csv.writer(stream).writerow([self.number])
