from django import forms
from django.utils.translation import gettext_lazy as _


class LoginForm(forms.Form):
    reader = forms.CharField(label=_("Your name"), max_length=50)
