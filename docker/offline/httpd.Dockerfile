# A stand-in for the official httpd:2.4 where no image registry answers: the same layout (everything under
# /usr/local/apache2, all modules and MPMs shared, apxs), from the upstream source that Debian keeps.
# No build context: docker build -t httpd:2.4 - <httpd.Dockerfile
FROM debian:trixie-slim AS build
# Sources of the first stanza, the release itself: mirrors seldom carry those of the security suite. And of the release
# before it: after an update a mirror's index can be ahead of its pool.
RUN sed -n -e 's/^Types: deb$/Types: deb-src/' -e 's/^Suites: .*/& bookworm bookworm-updates/' -e p -e '/^$/q' \
        /etc/apt/sources.list.d/debian.sources \
        >/etc/apt/sources.list.d/upstream.sources \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc libc6-dev make perl libapr1-dev libaprutil1-dev libbrotli-dev libcurl4-openssl-dev libjansson-dev \
        liblua5.2-dev libnghttp2-dev libpcre2-dev libssl-dev libxml2-dev zlib1g-dev >/dev/null
WORKDIR /src
# Upstream's tarball alone: Debian's patches move the files about. The newest that the mirror really has.
RUN for version in $(apt-cache showsrc apache2 | sed -n 's/^Version: //p' | sort -ruV); do \
        apt-get source -qq --download-only "apache2=$version" && break; \
        rm -f apache2_*; \
    done \
    && tar --strip-components=1 -xf apache2_*.orig.tar.*[2z]
RUN nice ./configure --quiet --prefix=/usr/local/apache2 --enable-mods-shared=reallyall --enable-mpms-shared=all \
        --enable-pie CFLAGS="-O2 -pipe" \
    && nice make -s -j"$(nproc)" >/dev/null \
    && make -s install >/dev/null
WORKDIR /usr/local/apache2
RUN rm -r man manual \
    && find bin modules -type f -exec sh -c 'strip --strip-unneeded "$1" 2>/dev/null || true' - {} \; \
    && sed -i -E -e 's!^(\s*CustomLog)\s+\S+!\1 /proc/self/fd/1!' -e 's!^(\s*ErrorLog)\s+\S+!\1 /proc/self/fd/2!' \
        -e 's/^(User|Group) .*/\1 www-data/' conf/httpd.conf conf/extra/httpd-ssl.conf \
    && printf '%s\n' '#!/bin/sh' 'set -e' \
        '# A container that was killed leaves the file behind, and its httpd has the same pid again.' \
        'rm -f /usr/local/apache2/logs/httpd.pid' 'exec httpd -DFOREGROUND "$@"' >bin/httpd-foreground \
    && chmod 755 bin/httpd-foreground

FROM debian:trixie-slim
ENV HTTPD_PREFIX=/usr/local/apache2 PATH=/usr/local/apache2/bin:$PATH
WORKDIR /usr/local/apache2
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates libapr1t64 libaprutil1t64 libaprutil1-ldap libbrotli1 libcurl4t64 libjansson4 liblua5.2-0 \
        libnghttp2-14 libpcre2-8-0 libssl3t64 libxml2 zlib1g >/dev/null \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/apache2 /usr/local/apache2
RUN ln -s /usr/local/apache2/bin/httpd-foreground /usr/local/bin/httpd-foreground \
    && mkdir -p htdocs && chown -R www-data:www-data htdocs && httpd -t 2>/dev/null
LABEL stand-in=true
STOPSIGNAL SIGWINCH
EXPOSE 80
CMD ["httpd-foreground"]
