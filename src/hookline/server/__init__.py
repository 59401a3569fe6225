"""The standalone server: a Django project that is configured by environment variables alone."""
