"""Talks to the carrier. Ordinary imports of an ordinary module: the time they take is the window."""

import ftplib
import xmlrpc.client


def label(order):
    request = xmlrpc.client.dumps((order,), methodname="label")
    return f"parcel label of {len(request)} bytes for port {ftplib.FTP_PORT}"
