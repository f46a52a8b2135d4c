from django.shortcuts import render_to_response


def letter(request):
    return render_to_response("letter.html", {"name": "reader"})
