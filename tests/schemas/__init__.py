"""A small project with a schema for each tenant, by the real django-tenants; it needs PostgreSQL."""
