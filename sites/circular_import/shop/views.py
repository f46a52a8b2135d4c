"""Both views import inside the function, the customary way around a circular import.

So the first two requests, not the start of the process, load the cycle, and from both ends at once.
"""

from django.http import HttpResponse


def order(request):
    from shop import orders

    return HttpResponse(orders.describe(7))


def invoice(request):
    from shop import invoices

    return HttpResponse(invoices.describe(7))
