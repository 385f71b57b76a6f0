"""The way of a message: inbound mail is checked, outbound mail is signed."""
