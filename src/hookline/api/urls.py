"""`path("hookline/", include("hookline.api.urls"))` puts the management API at `/hookline/api/v1/`.

It stands beside any other API of the project, of Django Ninja or of the REST framework, and touches none of their
settings. Clients of Svix are given the URL without `/api/v1`.
"""

from __future__ import annotations

from django.urls import re_path

from hookline.api.build import build
from hookline.api.gate import Gate

app_name = "hookline_api"
#: Whatever stands behind it is ours to answer, a line break, too. Slashes before and behind mean nothing: clients make
#: `//api/v1/app/` of a base URL that ends in one.
urlpatterns = [re_path(r"^(?:/*)api/v1(?P<rest>/(?s:.*))?\Z", Gate(build()).view(), name="v1")]
