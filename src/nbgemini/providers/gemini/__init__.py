"""Gemini's generateContent API, its batches and embeddings."""
