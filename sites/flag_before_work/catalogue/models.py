from django.db import models


class Book(models.Model):
    class Genre(models.TextChoices):
        NOVEL = "N", "novel"
        POEMS = "P", "poems"

    title = models.CharField(max_length=200)
    genre = models.CharField(max_length=1, choices=Genre.choices)

    def __str__(self):
        return self.title
