# 2010 as it was: Python 2.7, an old Django, and the last mod_wsgi that knows Python 2. A museum: never deploy it.
# --build-arg DJANGO=1.1.4 | 1.2.7 | 1.3.7 | 1.4.22 | 1.7.11 | 1.8.19 | 1.11.29
# The mirror to ask first. Old suites leave the ordinary mirrors some day; the archive keeps them.
ARG MIRROR=http://deb.debian.org/debian
ARG ARCHIVE=http://archive.debian.org/debian

FROM debian:bullseye-slim AS base
COPY docker/vintage/install-from /usr/local/sbin/

FROM base AS build
ARG MIRROR
ARG ARCHIVE
RUN install-from "$MIRROR" "$ARCHIVE" -- apache2-dev gcc libc6-dev python2.7-dev python3-pip
ARG DJANGO=1.1.4
ARG MOD_WSGI=4.9.4
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_REQUIRE_HASHES=1
COPY docker/vintage/requirements.txt docker/vintage/virtualenv.txt docker/pinned /src/
# setuptools and wheel are those that virtualenv brings along; Django 1.11 alone needs pytz.
RUN case $DJANGO in 1.11.*) more=pytz==2022.7.1 ;; *) more= ;; esac \
    && /src/pinned --only /src/requirements.txt "django==$DJANGO" >/src/django.txt \
    && /src/pinned --only /src/requirements.txt "django==$DJANGO" "mod_wsgi==$MOD_WSGI" $more >/src/pinned.txt \
    && python3 -m pip install -q -r /src/virtualenv.txt \
    && virtualenv -q --python=python2.7 /opt/runtime \
    && cd /tmp \
    && /opt/runtime/bin/pip download -q --no-deps --no-binary :all: -r /src/django.txt \
    && /opt/runtime/bin/pip install -q --no-build-isolation -r /src/pinned.txt \
    # A wheel that pip builds from such an old sdist can lack what is not Python: translations, templates.
    && tar -xf Django-*.tar.gz \
    && cp -rn Django-*/django /opt/runtime/lib/python2.7/site-packages/ \
    && ln -s "$(find /opt/runtime/lib -path '*/mod_wsgi/server/*.so')" /opt/runtime/mod_wsgi.so \
    && /opt/runtime/bin/pip uninstall -q -y wheel setuptools pip

FROM base
ARG MIRROR
ARG ARCHIVE
RUN install-from "$MIRROR" "$ARCHIVE" -- apache2-bin python2.7 libpython2.7 \
    && ln -s /usr/sbin/apache2 /usr/local/bin/httpd \
    # The home of www-data: mod_wsgi's daemon processes start in it, and without it not at all.
    && mkdir -p /var/www
COPY --from=build /opt/runtime /opt/runtime
COPY docker/vintage/hello /srv/sites/hello
COPY sites/mysite2010 /srv/sites/mysite2010
# mysite2010 needs a Django that still has setup_environ (before 1.6); hello runs on each, under the same script names.
RUN python2.7 -m compileall -q /srv/sites \
    && for script in naive_a naive_b naive_c improved; do \
        ln -s default.wsgi "/srv/sites/hello/scripts/$script.wsgi"; \
    done \
    && if /opt/runtime/bin/python -c 'from django.core.management import setup_environ' 2>/dev/null; \
        then ln -s mysite2010 /srv/sites/default; \
        else ln -s hello /srv/sites/default; \
    fi
COPY docker/httpd.conf /etc/harness/
COPY docker/serve docker/healthy /usr/local/bin/

ENV LANG=C.UTF-8 \
    HARNESS_MODULES=/usr/lib/apache2/modules \
    HARNESS_MODE=daemon \
    HARNESS_THREADS=15 \
    HARNESS_SITE=default \
    HARNESS_SCRIPT=naive_b
USER www-data
EXPOSE 8080
STOPSIGNAL SIGWINCH
CMD ["serve"]
