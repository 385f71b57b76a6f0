"""Its settings: the e-mail back end, and what a test says in the environment."""

import json
import os

SECRET_KEY = "no secret: a test"
INSTALLED_APPS = ["support.django_site"]
USE_TZ = True
DEFAULT_FROM_EMAIL = "Stad Voorbeeld <noreply@example.be>"
EMAIL_BACKEND = "zegel.integrations.django.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ.get("SITE_SMTP_PORT", "25"))
ZEGEL = json.loads(os.environ["SITE_ZEGEL"])
