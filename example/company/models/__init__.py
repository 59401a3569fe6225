"""One file for each part of the company: its model, and what is published of it."""

from __future__ import annotations

from company.models.accounts import Account
from company.models.appointments import Appointment
from company.models.blog import Post
from company.models.finance import Bill
from company.models.hiring import Application
from company.models.hr import Leave
from company.models.messages import ChatMessage
from company.models.newsletter import Subscriber
from company.models.notifications import Notification
from company.models.services import Service
from company.models.tenants import Customer

__all__ = [
    "Account",
    "Application",
    "Appointment",
    "Bill",
    "ChatMessage",
    "Customer",
    "Leave",
    "Notification",
    "Post",
    "Service",
    "Subscriber",
]
