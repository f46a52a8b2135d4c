from django.urls import path

from library import views

app_name = "library"

urlpatterns = [
    path("", views.BookList.as_view(), name="books"),
    path("books/<int:pk>/", views.BookDetail.as_view(), name="book"),
    path("hello/", views.hello, name="hello"),
    path("login/", views.login, name="login"),
]
