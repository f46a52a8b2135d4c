"""The other end of the cycle: an invoice knows its order. See orders."""

import calendar
import fractions

from shop import orders, printing

VAT = fractions.Fraction(19, 100)


def number(order):
    return f"invoice {calendar.timegm((2010, 3, 1, 0, 0, 0))}-{order}"


def describe(order):
    net = orders.total(order)
    return printing.page(number(order), f"{net * float(1 + VAT):.2f}")
