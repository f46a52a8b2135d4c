"""Prints invoices. Ordinary imports of an ordinary module: the time they take is the window."""

import plistlib
import xml.dom.minidom


def page(title, body):
    document = xml.dom.minidom.Document()
    text = document.createElement("page")
    text.setAttribute("title", title)
    text.appendChild(document.createTextNode(body))
    size = len(plistlib.dumps({title: body}))
    return f"{text.toxml()} ({size} bytes to print)"
