"""Chats and replies: what is sent, round by round, and what has come."""
