"""What a message needs before it is signed and sent on: its encoding, its sender, and the report when it cannot be delivered."""
