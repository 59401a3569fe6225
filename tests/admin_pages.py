"""Using the admin as a person does: lists, actions, and forms."""

from __future__ import annotations

import json
from typing import Any

from django.forms import MultipleChoiceField
from django.test import Client
from django.urls import reverse

from hookline.admin.lists import ListField
from hookline.db.row import Row


def list_url(model: type[Row], **query: object) -> str:
    return reverse(f"admin:hookline_{model._meta.model_name}_changelist", query={k: str(v) for k, v in query.items()})


def page_url(row: Row) -> str:
    return reverse(f"admin:hookline_{row._meta.model_name}_change", args=[row.pk])


def add_url(model: type[Row]) -> str:
    return reverse(f"admin:hookline_{model._meta.model_name}_add")


def listed(client: Client, model: type[Row], **query: object) -> list[Any]:
    """The rows that a list shows."""
    answer = client.get(list_url(model, **query))
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def act(client: Client, action: str, *rows: Row, **more: str) -> list[str]:
    """Choose an action for some rows of a list. The messages that the next page shows."""
    answer = client.post(
        list_url(type(rows[0])),
        {"action": action, "_selected_action": [str(row.pk) for row in rows], **more},
        follow=True,
    )
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def submit(client: Client, page: str, /, **values: object) -> tuple[dict[str, list[str]], list[str]]:
    """Fill in the form of a page and save it. The errors of its fields, and the messages of the next page."""
    form = client.get(page).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    for name, value in data.items():
        if isinstance(form.fields[name], MultipleChoiceField):
            data[name] = list(value or [])
            continue
        if isinstance(form.fields[name], ListField):
            data[name] = value or []
            continue
        data[name] = json.dumps(value) if isinstance(value, dict | list) else "" if value in (None, False) else value
    data |= {f"initial-{name}": data[name] for name, field in form.fields.items() if field.show_hidden_initial}
    answer = client.post(page, {**data, **values}, follow=True)
    assert answer.status_code == 200
    errors = {} if answer.redirect_chain else dict(answer.context["adminform"].form.errors)
    return errors, [str(message) for message in answer.context["messages"]]
