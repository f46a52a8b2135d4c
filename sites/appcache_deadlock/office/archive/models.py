import sqlite3
import tarfile
import zipfile

from django.db import models


class Volume(models.Model):
    path = models.CharField(max_length=200)

    def open(self):
        kinds = {"tar": tarfile.open, "zip": zipfile.ZipFile, "db": sqlite3.connect}
        return kinds[self.path.rpartition(".")[2]](self.path)
