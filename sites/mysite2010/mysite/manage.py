"""Django's command line for this site, as startproject wrote it in 2010. Run it in this directory."""

from django.core.management import execute_manager

import settings

if __name__ == "__main__":
    execute_manager(settings)
