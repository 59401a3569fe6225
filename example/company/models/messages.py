"""What people write to each other. Its text stays here: subscribers learn that there is one."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class ChatMessage(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    sender = models.CharField(max_length=200)
    text = models.TextField()
    sent_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"from {self.sender}"


publish(ChatMessage, created="message.sent", fields=["sender", "sent_at"], tenant="customer.key")
