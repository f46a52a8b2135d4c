from django.http import HttpResponse


def stock(request):
    return HttpResponse("tea: %d" % request.stock["tea"])
