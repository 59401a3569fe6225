"""The management API: operations over HTTP, in the shape of Svix's. A face, made with Django Ninja."""
