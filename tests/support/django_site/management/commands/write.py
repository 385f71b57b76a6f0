"""``manage.py write``: sends so many messages over one connection, as a newsletter or a form with a copy does."""

from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.management.base import BaseCommand


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    help = "send mail"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument("--from", dest="sender", default=None)
        parser.add_argument("--silently", action="store_true")
        parser.add_argument("--opened", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = get_connection(fail_silently=options["silently"])
        if options["opened"]:
            connection.open()
        messages: list[EmailMessage] = []
        for number in range(options["count"]):
            message = EmailMultiAlternatives(
                f"Café {number}", "Goedendag, René", options["sender"], ["info@example.org"], bcc=["b@example.org"]
            )
            message.attach_alternative("<p>Goedendag, <b>René</b></p>", "text/html")
            message.attach("Café.bin", bytes(range(256)), "application/octet-stream")
            messages.append(message)
        self.stdout.write(f"{connection.send_messages(messages) or 0} sent")
        connection.close()
