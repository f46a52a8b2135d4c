"""One end of the cycle: an order knows its invoice.

Nothing of invoices is used before the functions run, so either end may be imported first. Two
threads that start at different ends meet in the middle: each holds the lock of its own module and
wants the other's. Python sees the deadlock coming and lets one of them pass with the other's module
as it is, without the functions below.
"""

import csv
import statistics

from shop import invoices, shipping

LINES = ["tea,2,3.50", "biscuits,1,2.25", "cups,4,6.00"]


def total(order):
    return sum(int(count) * float(price) for _, count, price in csv.reader(LINES))


def describe(order):
    mean = statistics.fmean(float(price) for _, _, price in csv.reader(LINES))
    parcel = shipping.label(order)
    return f"order {order}, {invoices.number(order)}, mean price {mean:.2f}, {parcel}"
